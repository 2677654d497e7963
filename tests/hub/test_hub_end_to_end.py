"""The command lines of publishing and takedown from end to end, against a Hub on this machine with the real clients."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end_sets import (
    API,
    COLUMNS,
    REPO,
    SMALL,
    arguments,
    build,
    check_order,
    check_rows,
    check_sides,
    check_untouched,
    listed,
    lying,
    members,
    publish,
    rows_at_home,
    rows_of_hub,
    told_codes,
)
from hub_client import ROOT, checked, client, run_client
from loopback_hub import LoopbackHub

sys.path += [str(ROOT / "tests" / "cmdfd" / "publish")]
from public_set import (
    RATE,
    SETTINGS,
    SOURCES,
    change_build,
    change_clips,
    change_provenance,
    copy_of,
    renamed,
    write_public_set,
)

from cmdfd.clip import Clip, Rights, sha256_file
from cmdfd.dataset import Dataset
from cmdfd.takedown.tombstones import MARKS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("datasets", reason="needs the extra 'hub'")
pytest.importorskip("mlcroissant", reason="needs the extra 'hub'")
#: Reads a card and a Croissant that the Hub gives, as other tools do.
READ = f"""
import sys, mlcroissant
from huggingface_hub import DatasetCard, hf_hub_download
card = DatasetCard.load("{REPO}")
assert card.data.license and card.data.configs and card.data.extra_gated_prompt, card.data
path = hf_hub_download("{REPO}", "croissant.json", repo_type="dataset", revision="v1.0.0")
metadata = mlcroissant.Dataset(jsonld=path).metadata
assert not metadata.ctx.issues.errors and metadata.record_sets and metadata.distribution
print(metadata.version, len(metadata.distribution))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two people in each of two splits."""
    return write_public_set(tmp_path_factory.mktemp("small") / "toy", people=2)


@pytest.fixture(scope="module")
def people(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same where every take is a file of its own, so that one person can go without the others."""
    folder = copy_of(small, tmp_path_factory.mktemp("people") / "toy")
    own = lambda row: row | {"parents": [one | {"sha256": one["key"]} for one in row["parents"]]}  # noqa: E731
    change_provenance(folder, own)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """People enough for an audit that could find something."""
    return write_public_set(tmp_path_factory.mktemp("large") / "toy", people=8)


def test_what_is_planned_is_what_lies_there_and_what_comes_back(
    hub: LoopbackHub, small: Dataset, tmp_path: Path
) -> None:
    planned = checked(publish(hub, small.folder, tmp_path / "dry", "--dry-run", *SMALL))
    assert hub.calls == [] and "dry run: nothing was sent" in planned and "2. set the gate to manual" in planned
    sent = publish(hub, small.folder, tmp_path / "wet", *SMALL)
    done = checked(sent)
    assert "Generating" not in sent.stderr and "it/s" not in sent.stderr and "B/s" not in sent.stderr
    texts = [call.text for call in hub.calls]
    assert texts[0].startswith("GET /api/whoami") and texts[1] == f"GET {API}", "asked before the set is looked at"
    assert sent.stderr.index("asking the Hub") < sent.stderr.index("files, labels and splits")
    assert "what was sent: toy to dataset" in done and "set the gate to manual" not in done and "dry run" not in done
    assert f"published: {hub.url}/datasets/{REPO}" in done and "8 rows loaded back equal" in done
    assert lying(hub) == lying(hub, "v1.0.0") == listed(tmp_path / "wet") == listed(tmp_path / "dry")
    check_order(hub)
    for came in rows_of_hub(hub, (REPO, "v1.0.0", "videofolder")):
        check_rows(came, rows_at_home(small.folder), "videofolder")
    check_sides(hub.files(REPO), small.folder)
    for path, data in members(hub.files(REPO)):
        assert SOURCES.encode() not in data and b"annas-computer" not in data, path


# Sets that were built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One set of voices and faces, one of splices with masks, scenes and platform versions; of two people a split."""
    folder = tmp_path_factory.mktemp("built")
    return {name: build(name, folder / name, "--limit", "2") for name in ("cmdfd-classical", "mini-splice")}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cmdfd-classical", "mini-splice"])
def test_built_sets_come_back_in_all_layouts(
    hub: LoopbackHub, built: dict[str, Path], tmp_path: Path, name: str
) -> None:
    home, folder = rows_at_home(built[name]), built[name]
    wanted = []
    for layout in COLUMNS:
        repo, words = f"lab/{layout}", ("--format", layout, *SMALL)
        calls = len(hub.calls)
        if layout == "videofolder":
            checked(publish(hub, folder, tmp_path / "dry", "--dry-run", *words, repo=repo))
            assert len(hub.calls) == calls
        checked(publish(hub, folder, tmp_path / "wet", *words, repo=repo))
        there = lying(hub, "v1.0.0", repo)
        assert there == listed(tmp_path / "wet", repo)
        assert layout != "videofolder" or there == listed(tmp_path / "dry", repo)
        check_sides(hub.files(repo), folder)
        wanted.append((repo, "v1.0.0", layout))
    came = rows_of_hub(hub, *wanted)
    for number, layout in enumerate(COLUMNS):
        for one in came[2 * number : 2 * number + 2]:
            check_rows(one, home, layout)
    rows = [row for some in home.values() for row in some]
    assert {row["label"] for row in rows} == {0, 1} and any(row["mask"] for row in rows)
    assert name != "mini-splice" or (any(row["platform"] for row in rows) and any(row["scene"] for row in rows))


@pytest.mark.slow
def test_card_and_croissant_of_the_hub_are_valid(hub: LoopbackHub, built: dict[str, Path], tmp_path: Path) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("contact: Data office, data@lab.example\nmaintainers: [The lab]\ncitation: 'Lab, 2026.'\n")
    checked(publish(hub, built["mini-splice"], tmp_path / "out", *SMALL, "--card", str(words)))
    assert checked(run_client(hub, READ)).startswith("1.0.0 ")
    card = hub.files(REPO)["README.md"].decode()
    assert "data@lab.example" in card and "[to be filled: date of v1.0.0 (changes)]" in card
    report = checked(run_client(hub, ["-m", "cmdfd.audit", f"{REPO}@v1.0.0", "--quick", "-o", str(tmp_path / "audit")]))
    assert "24 clips" in report or "12 real" in report, report


# Troubles


@pytest.mark.slow
@pytest.mark.parametrize(
    ("match", "drop"),
    [("PUT /lfs/", True), (f"POST {API}/commit", False), (f"GET /datasets/{REPO}/resolve/", True)],
)
def test_a_killed_command_goes_on(hub: LoopbackHub, small: Dataset, tmp_path: Path, match: str, drop: bool) -> None:
    words = arguments(small.folder, tmp_path / "out", *SMALL)
    with client(hub.url, ["-m", "cmdfd.publish", *words]) as process:
        hub.when(match, lambda _: os.kill(process.pid, 9), drop=drop)
        assert process.wait(timeout=120) == -9, f"not killed at {match}"
    assert hub.repo(REPO).private and not hub.repo(REPO).tags
    hub.heal()
    if match.startswith("PUT"):
        hub.fail_next(2, 503, match=f"POST {API}/(commit|tag)")
    checked(publish(hub, small.folder, tmp_path / "out", *SMALL))
    assert lying(hub) == lying(hub, "v1.0.0") == listed(tmp_path / "out")
    check_order(hub)
    assert hub.find("^POST .*/(commit|tag)") and all(call.status != 503 for call in hub.calls[-1:])


@pytest.mark.slow
def test_versions_and_a_takedown(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    old, new, out = copy_of(people, tmp_path / "old"), tmp_path / "new", tmp_path / "out"
    checked(publish(hub, old, out, *SMALL))
    first = lying(hub)
    person = Dataset.open(old).clips("test")[0].face_id
    gone = {clip.id for clip in Dataset.open(old).rows if clip.face_id == person}
    taken = ["-m", "cmdfd.takedown", str(old), "--person", person]
    checked(run_client(hub, [*taken, "--out", str(new), "--repo", REPO, "--tag", "v1.1.0", "-o", str(out), *SMALL[:2],
                             *SMALL[4:]]))  # fmt: skip
    assert lying(hub) == first and (new / MARKS_FILE).is_file()
    assert not any(name in path for name in gone for path in listed(out))  # the list is that of the new version
    same = publish(hub, new, out, *SMALL)  # the tag of another version
    assert same.returncode == 2 and "a published tag does not change" in same.stderr and lying(hub, "v1.0.0") == first
    done = checked(publish(hub, new, out, *SMALL, "--tag", "v1.1.0"))
    assert f"stays at home: {MARKS_FILE}" in done
    assert list(hub.repo(REPO).tags) == ["v1.0.0", "v1.1.0"] and lying(hub, "v1.0.0") == first
    there = hub.files(REPO, "v1.1.0")
    assert not any(Path(path).name == MARKS_FILE for path in there)
    assert not any(name in path for name in gone for path in there) and "tombstones.parquet" in there
    rows = [line for line in there["README.md"].decode().splitlines() if line.startswith("| v1.1.0")]
    assert len(rows) == 1 and f"{len(gone)} clips withdrawn" in rows[0] and rows[0].endswith(f"| {len(gone)} |")
    accept = SMALL[4:]
    told = checked(run_client(hub, [*taken, "--out", str(new), "--repo", REPO, "--tag", "v1.1.0", "--yes",
                                    "-o", str(out), "--audit", "quick", *accept]))  # fmt: skip
    assert "v1.0.0" in told and list(hub.repo(REPO).tags) == ["v1.1.0"] and len(hub.repo(REPO).commits) <= 2
    for revision in hub.repo(REPO).commits:
        assert not any(name in path for name in gone for path in hub.files(REPO, revision))
    assert (hub.repo(REPO).private, hub.repo(REPO).gated) == (False, "manual")


# Withheld labels


@pytest.mark.slow
def test_nothing_on_the_hub_tells_withheld_labels(hub: LoopbackHub, small: Dataset, tmp_path: Path) -> None:
    folder = copy_of(small, tmp_path / "withheld")
    secret = [clip for clip in small.rows if clip.split == "test"]
    secret = [replace(clip, kind="veiled" if clip.labels.label else "real", variant="hush") for clip in secret]
    by_id = {clip.id: clip for clip in secret}
    change_clips(folder, lambda clip: by_id.get(clip.id, clip), ["test"])
    change_build(folder, counts=small.build.counts | {"test": {"real": 2, "veiled": 2}})
    words = {one for clip in secret for one in (clip.face_id, clip.voice_id, *clip.source_ids)} | {"veiled", "hush"}
    secrets = dict(members({"labels.parquet": (folder / "test/labels.parquet").read_bytes()}))
    assert all(any(word.encode() in data for data in secrets.values()) for word in words)  # the search finds them
    wanted = []
    for layout in COLUMNS:
        repo = f"lab/{layout}"
        done = checked(publish(hub, folder, tmp_path / "out", *SMALL, "--format", layout, repo=repo))
        assert "stays at home: test/labels.parquet" in done
        files = hub.files(repo)
        assert "test/labels.parquet" not in files and "train/labels.parquet" in files
        check_sides(files, folder, ["test"])
        for path, data in members(files):
            assert not [word for word in words if word.encode() in data or word in path], path
        audit = json.loads(files["audit.json"])
        assert (audit["n_real"], audit["n_fake"]) == (2, 2), "the open split alone"
        assert "open splits alone" in files["README.md"].decode()
        wanted.append((repo, "v1.0.0", layout))
    for number, came in enumerate(rows_of_hub(hub, *wanted)):
        check_rows(came, rows_at_home(folder, ["test"]), list(COLUMNS)[number // 2])
        assert all(row["label"] is None and not row["tracks_sha256"] for row in came["test"])


# Refusals


def _unlicensed(folder: Path, data: Dataset) -> None:
    change_clips(folder, lambda clip: replace(clip, rights=Rights("unclear", "given")))


def _without_consent(folder: Path, data: Dataset) -> None:
    change_clips(folder, lambda clip: replace(clip, rights=Rights("CC-BY-4.0", "unknown")))


def _leaking(folder: Path, data: Dataset) -> None:
    change_clips(folder, lambda clip: renamed(folder, clip, f"{clip.kind}{clip.id[4:]}"))


def _split_leak(folder: Path, data: Dataset) -> None:
    person = data.clips("train")[0].face_id
    change_clips(folder, lambda clip: replace(clip, face_id=person) if clip.split == "test" else clip)


def _changed(folder: Path, data: Dataset) -> None:
    path = folder / data.rows[0].file
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def _open_labels(folder: Path, data: Dataset) -> None:
    change_build(folder, withheld=["test"])


def _cue(folder: Path, data: Dataset) -> None:
    """Fakes whose sound ends early, as that of many vocoders does."""
    import numpy as np

    from cmdfd.media.decode import read_audio, read_video
    from cmdfd.media.encode import write_clip

    def shorter(clip: Clip) -> Clip:
        if clip.labels.label == 0:
            return clip
        path = folder / clip.file
        video, sound = read_video(path), read_audio(path)
        path.unlink()
        samples = np.asarray(sound.samples, np.float32).reshape(-1)[: clip.n_samples - 3000]
        write_clip(path, np.asarray(video.frames), clip.fps, samples, RATE, SETTINGS)
        return replace(clip, sha256=sha256_file(path), n_samples=len(samples))

    change_clips(folder, shorter)


def _gate_of_the_build(folder: Path, data: Dataset) -> None:
    change_build(folder, audit={"status": "failed", "sentences": ["The gap tells."]})


REFUSED: dict[str, tuple[Callable[[Path, Dataset], None], str, str]] = {
    "licence_missing": (_unlicensed, "licence 'unclear'", "state it in sources.csv"),
    "consent_missing": (_without_consent, "", ""),
    "leaking_name": (_leaking, "", ""),
    "split_leak": (_split_leak, "", "by component"),
    "changed_file": (_changed, "", "build the set again"),
    "withheld_label": (_open_labels, "test/metadata.parquet", "withheld: [test]"),
    "audit_failed": (_gate_of_the_build, "The gap tells.", "--fix"),
}


@pytest.mark.slow
@pytest.mark.parametrize("code", REFUSED)
def test_refusals_are_told_and_change_nothing_on_the_hub(
    hub: LoopbackHub, large: Dataset, small: Dataset, tmp_path: Path, code: str
) -> None:
    spoil, reason, fix = REFUSED[code]
    data = large if code == "leaking_name" else small  # a pattern of few names could be chance
    folder = copy_of(data, tmp_path / "toy")
    spoil(folder, data)
    done = publish(hub, folder, tmp_path / "out", *SMALL)
    also = {"audit_failed"} if code == "split_leak" else set()  # the audit sees that, too
    assert told_codes(done) == {code} | also, done.stdout
    assert reason in done.stdout and fix in done.stdout, done.stdout
    check_untouched(hub)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_failing_audit_and_one_that_could_find_nothing(
    hub: LoopbackHub, large: Dataset, small: Dataset, tmp_path: Path
) -> None:
    folder = copy_of(large, tmp_path / "toy")
    _cue(folder, large)
    done = publish(hub, folder, tmp_path / "out", "--audit", "quick", "--workers", "1")
    assert told_codes(done) == {"audit_failed"} and "AUC" in done.stdout and "cmdfd.audit" in done.stdout
    done = publish(hub, small.folder, tmp_path / "out", "--audit", "quick", "--workers", "1")
    assert told_codes(done) == {"audit_missing"} and "--accept audit_missing=" in done.stdout
    done = publish(hub, small.folder, tmp_path / "out", "--accept", "split_leak=they are twins, really")
    assert done.returncode == 2 and "nobody can lift this refusal" in done.stderr
    check_untouched(hub)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_documents_are_looked_at_like_everything_else(hub: LoopbackHub, people: Dataset, tmp_path: Path) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("contact: data@lab.example\nsummary: All recordings lie in /home/anna/takes for those who ask.\n")
    done = publish(hub, people.folder, tmp_path / "out", *SMALL, "--card", str(words))
    assert told_codes(done) == {"personal_data"} and "/home/anna/takes" in done.stdout
    assert "data@lab.example" not in done.stdout
    check_untouched(hub)
    taken = ["-m", "cmdfd.takedown", str(people.folder), "--person", people.rows[0].face_id, "--out",
             str(tmp_path / "new"), "--repo", REPO, "--tag", "v1.1.0", "-o", str(tmp_path / "out")]  # fmt: skip
    checked(publish(hub, people.folder, tmp_path / "out", *SMALL))
    done = run_client(hub, [*taken, "--audit", "quick", *SMALL[4:], "--card", str(words)])
    assert done.returncode == 1 and "personal_data" in done.stdout and "fix: " in done.stdout
    assert list(hub.repo(REPO).tags) == ["v1.0.0"]
