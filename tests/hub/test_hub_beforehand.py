"""What is refused before hours of checks: people who come back, tokens that may not write, a card without a contact."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end_sets import REPO, SMALL, arguments, card, check_untouched, lying, publish, told_codes
from hub_client import ROOT, checked, run_client
from hypothesis import given
from hypothesis import strategies as st
from loopback_hub import OWNER, READER, STRANGER, LoopbackHub
from test_hub_publish import published, refused

sys.path += [str(ROOT / "tests" / "cmdfd" / "publish")]
from public_set import change_build, change_clips, change_provenance, copy_of, write_public_set

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.records import Repo
from cmdfd.publish.run import parse_accept
from cmdfd.publish.versions import release
from cmdfd.publish.withdrawn import Gone, problems_of
from cmdfd.takedown.tombstones import TOMBSTONES, read_tombstones, write_tombstones

if TYPE_CHECKING:
    from subprocess import CompletedProcess

pytest.importorskip("datasets", reason="needs the extra 'hub'")
#: Said when the checks begin.
CHECKS = "files, labels and splits"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two people in each of two splits; every take is a file of its own, so that one can go without the others."""
    made = write_public_set(tmp_path_factory.mktemp("people") / "toy", people=2)
    own = lambda row: row | {"parents": [one | {"sha256": one["key"]} for one in row["parents"]]}  # noqa: E731
    change_provenance(made.folder, own)
    return Dataset.open(made.folder)


# People who were taken out


def _codes(gone: Gone, tag: str, ids: set[str], tombstones: dict[str, str]) -> set[str]:
    return {one.code for one in problems_of(gone, Repo("lab/x", tag), ids, tombstones)}


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_nobody_comes_back(there: set[str], ids: set[str], known: set[str]) -> None:
    gone = Gone(dict.fromkeys(there, "v1.1.0"))
    found = _codes(gone, "v1.1.0", ids, dict.fromkeys(known, "v1.1.0"))
    assert found == ({"withdrawn_clip"} if there & ids or there - known else set())


def test_a_later_tag_and_a_takedown_that_was_stopped() -> None:
    home = {"a": "v1.10.0"}
    for tag, codes in (("v1.9.9", {"bad_repo"}), ("v1.10.0", set()), ("1.11.0", set()), ("second", set())):
        assert _codes(Gone({"a": "v1.10.0"}), tag, {"b"}, home) == codes, tag
    assert _codes(Gone({"a": "takedown-1"}), "v0.0.1", {"b"}, home) == set()
    stopped = Gone({}, ("v1.10.0",))  # its files are gone, and those of the new version are not there yet
    assert _codes(stopped, "v1.10.0", {"b"}, home) == _codes(stopped, "v2.0.0", {"b"}, {"a": "takedown-1"}) == set()
    assert _codes(stopped, "v2.0.0", {"a", "b"}, {}) == {"withdrawn_clip"}
    assert (release("v1.10.0"), release("1.2.3"), release("v1.2"), release("v1.2.3-rc1")) == ((1, 10, 0), (1, 2, 3),
                                                                                            None, None)  # fmt: skip


def test_a_public_copy_is_held_against_the_tombstones_there(hub: LoopbackHub, tiny: Path) -> None:
    write_tombstones(tiny, {"c7": "v1.1.0"})
    published(hub, tiny, "--tag", "v1.1.0")
    commits, sent = dict(hub.repo("lab/mini").commits), len(hub.find("^PUT /lfs/upload|/commit/"))
    (tiny / TOMBSTONES).unlink()
    assert "withdrawn_clip: lab/mini: tombstones.parquet" in refused(hub, tiny, "--tag", "v1.2.0")
    write_tombstones(tiny, {"c7": "v1.1.0"})
    (tiny / "test/videos/000/c7.mp4").write_bytes(b"back again")
    assert "1 clip of this set, e.g. c7" in refused(hub, tiny, "--tag", "v1.2.0")
    assert hub.repo("lab/mini").commits == commits
    assert len(hub.find("^PUT /lfs/upload|/commit/")) == sent


@pytest.mark.slow
def test_old_tags_count_and_tables_that_cannot_be_read_stop_it(hub: LoopbackHub, tiny: Path) -> None:
    write_tombstones(tiny, {"c7": "v1.1.0"})
    published(hub, tiny, "--tag", "v1.1.0")
    delete = f"HfApi().delete_file('{TOMBSTONES}', 'lab/mini', repo_type='dataset')"
    checked(run_client(hub, f"from huggingface_hub import HfApi\n{delete}"))
    (tiny / TOMBSTONES).unlink()
    assert "withdrawn_clip" in refused(hub, tiny, "--tag", "v1.2.0")
    spoil = f"HfApi().upload_file(path_or_fileobj=b'x', path_in_repo='{TOMBSTONES}', repo_id='lab/mini', "
    checked(run_client(hub, f"from huggingface_hub import HfApi\n{spoil}repo_type='dataset')"))
    assert "nobody knows who was taken out" in refused(hub, tiny, "--tag", "v1.2.0")


@pytest.mark.slow
def test_one_command_does_not_undo_a_takedown(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    old, new, out = copy_of(people, tmp_path / "old"), tmp_path / "new", tmp_path / "out"
    checked(publish(hub, old, out, *SMALL, "--tag", "v1.0.0"))
    one, other = sorted({clip.face_id for clip in people.clips("test")})

    def takedown(person: str, folder: Path, tag: str) -> CompletedProcess[str]:
        where = ["--repo", REPO, "--tag", tag, "-o", str(out), "--yes"]
        words = ["--person", person, "--out", str(folder), *where, "--audit", "quick", *SMALL[4:], *card(out)]
        return run_client(hub, ["-m", "cmdfd.takedown", str(old), *words], timeout=300)

    checked(takedown(one, new, "v1.1.0"))
    there, tags = lying(hub), dict(hub.repo(REPO).tags)
    assert list(tags) == ["v1.1.0"] and TOMBSTONES in there
    for tag in ("v1.0.0", "v1.2.0"):
        again = publish(hub, old, out, *SMALL, "--tag", tag)
        assert "withdrawn_clip" in told_codes(again) and "cmdfd.takedown wrote" in again.stdout, again.stdout
        assert CHECKS not in again.stderr
    assert told_codes(publish(hub, new, out, *SMALL, "--tag", "v1.0.0")) == {"bad_repo"}
    forgetful = tmp_path / "forgetful"
    shutil.copytree(new, forgetful)
    (forgetful / TOMBSTONES).unlink()
    assert told_codes(publish(hub, forgetful, out, *SMALL, "--tag", "v1.2.0")) == {"withdrawn_clip"}
    second = takedown(other, tmp_path / "second", "v1.2.0")  # of the old folder, which still has the first
    assert second.returncode == 1 and "withdrawn_clip" in second.stdout, second.stdout + second.stderr
    assert (lying(hub), hub.repo(REPO).tags) == (there, tags)
    assert (hub.repo(REPO).private, hub.repo(REPO).gated) == (False, "manual")
    checked(publish(hub, new, out, *SMALL, "--tag", "v1.1.0"))  # the same version again is no harm
    assert (lying(hub), hub.repo(REPO).tags) == (there, tags)
    assert read_tombstones(new).keys() == {clip.id for clip in people.rows if clip.face_id == one}


# Tokens, rights and doors


def _tried(hub: LoopbackHub, folder: Path, out: Path, token: str | None = OWNER) -> str:
    """What a real run says that fails before anything of the set is looked at."""
    quick = (
        "import sys; from cmdfd.publish import __main__, remote; remote.FIRST_WAIT = 0.02; sys.exit(__main__.main())"
    )
    done = run_client(hub, ["-c", quick, *arguments(folder, out, *SMALL)], token=token)
    assert done.returncode == 2 and CHECKS not in done.stderr and not out.exists(), done.stdout + done.stderr
    return done.stderr


def test_without_a_token_nothing_is_looked_at(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    assert "no token" in _tried(hub, people.folder, tmp_path / "out", None)
    check_untouched(hub)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hf_thisTokenIsNoneAtAll123", "401"),
        (READER, "may only read"),
        (STRANGER, "not in the organisation lab"),
    ],
)
def test_tokens_are_tried_first(hub: LoopbackHub, people: Dataset, tmp_path: Path, token: str, words: str) -> None:
    assert words in _tried(hub, people.folder, tmp_path / "out", token)
    check_untouched(hub)


@pytest.mark.slow
def test_an_open_repository_and_a_hub_that_is_not_there(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    make = f"from huggingface_hub import HfApi; HfApi().create_repo({REPO!r}, repo_type='dataset', private=False)"
    checked(run_client(hub, make))
    assert "visible, gate off" in _tried(hub, people.folder, tmp_path / "out")
    with LoopbackHub() as gone:
        pass
    assert "can be reached" in _tried(gone, people.folder, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed", [{}, {"HF_HOME": "~/elsewhere"}, {"HF_HUB_CACHE": "~/h", "HF_DATASETS_CACHE": "/d"}]
)
def test_caches_are_where_the_libraries_have_them(tmp_path: Path, changed: dict[str, str]) -> None:
    code = (
        "import datasets.config as d, huggingface_hub.constants as h; from cmdfd.takedown.copies import hub_copies;"
        "import os; _, hub, rows = hub_copies();"
        "assert (str(hub), str(rows)) == (h.HF_HUB_CACHE, os.path.expanduser(d.HF_DATASETS_CACHE)), (hub, rows)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "XDG_"))}
    environment = kept | {"HOME": str(tmp_path), "USE_TORCH": "0", "PYTHONPATH": str(ROOT)} | changed
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


# The publisher's words


def test_nobody_to_ask(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("title: Toy\ncontact: ' '\n")
    done = publish(hub, people.folder, tmp_path / "out", *SMALL, "--card", str(words))
    assert told_codes(done) == {"no_contact"} and "write `contact: " in done.stdout and CHECKS not in done.stderr
    check_untouched(hub)


@pytest.mark.slow
def test_nobody_to_ask_with_a_reason(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("title: Toy\n")
    asked = (*SMALL, "--card", str(words))
    planned = checked(publish(hub, people.folder, tmp_path / "out", *asked, "--dry-run"))
    assert "without --dry-run this is refused: no_contact" in planned and hub.calls == []
    lifted = (*asked, "--accept", "no_contact=drawn faces cannot ask")
    checked(publish(hub, people.folder, tmp_path / "out", *lifted))
    assert "no_contact, lifted when the set was published: drawn faces cannot ask" in hub.files(REPO)[
        "README.md"
    ].decode().replace("\n", " ")


def test_what_is_accepted_can_be_lifted_and_has_a_reason() -> None:
    assert parse_accept(["audit_missing=ten signs!!"]) == {"audit_missing": "ten signs!!"}
    for pair, words in (
        ("split_leak=no", "nobody can lift"),
        ("withdrawn_clip", "nobody can lift"),
        ("audit_failed", "10 signs or more"),
        ("audit_failed= short ", "'short' has 5"),
        ("audit_fail=a good reason", "audit_failed"),
    ):
        with pytest.raises(CmdfdError, match=words):
            parse_accept([pair])


def test_a_public_note_names_no_cue_of_withheld_splits(people: Dataset, tmp_path: Path) -> None:
    from cmdfd.publish.checks import CheckOptions, check

    folder = copy_of(people, tmp_path / "toy")
    failed = {"status": "failed", "sentences": ["The gap tells."]}
    accept = {"audit_failed": "a known cue of the source", "audit_missing": "a set of tests"}
    how = CheckOptions(accept=accept, audit="quick", workers=1, draws=99)
    change_build(folder, audit=failed)
    assert any("(1 problem, e.g. build.json: audit)" in note for note in check(folder, how).notes)
    change_clips(folder, replace, ["test"])  # withholds the split's labels
    change_build(folder, audit=failed)
    checked_ = check(folder, how)
    assert not checked_.problems and "audit_failed lifted: a known cue of the source" in checked_.notes
    assert not any("e.g. build.json" in note for note in checked_.notes)


# Progress bars


def test_bars_are_shown_to_people_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import utils

    from cmdfd.publish.remote import quiet

    utils.enable_progress_bars()
    if utils.are_progress_bars_disabled():
        pytest.skip("HF_HUB_DISABLE_PROGRESS_BARS is set, and has priority")
    for terminal in (True, False):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        with quiet(utils):
            assert utils.are_progress_bars_disabled() is not terminal
        assert not utils.are_progress_bars_disabled()
