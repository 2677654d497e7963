"""What publishing to the Hub refuses, with the reason and the fix, before a file goes up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_client import checked, run_client
from hypothesis import given
from hypothesis import strategies as st
from loopback_hub import OWNER, READER, STRANGER, Call, LoopbackHub
from test_hub_publish import API, REPO, local, published, refused, remote, uploads

from cmdfd.errors import CmdfdError
from cmdfd.publish.hub import check_folder, plan
from cmdfd.publish.records import Repo
from cmdfd.publish.remote import check_repo

BAD_IDS = [
    "", "mini", "lab/", "/mini", "a/b/c", "lab/../mini", "../lab", "lab/mini.git", "lab/mini\n", "lab/mini ",
    " lab/mini", "lab/a--b", "lab/a..b", "lab/-mini", "lab/mini?x=1", "lab/mini#x", "lab/mini@v1", "lab/%2e%2e",
    "lab\\mini", "http://evil/lab/mini", "lab/" + "a" * 97, "lab/mïni", "lab/mini\x00", "lab/mini\x1b[31m",
    "datasets/lab/mini", "lab./mini", "lab/.git", "lab/mini.", "lab;rm/mini", "$(id)/mini", "lab/mini\u202e",
]  # fmt: skip
BAD_TAGS = [
    "",
    "main",
    "HEAD",
    "a b",
    "v1..0",
    "v1.lock",
    "-v1",
    "v1/../x",
    "v1\n",
    "abcdef0",
    "a" * 65,
    "v1:0",
    "v1~1",
    "v1.",
]


def make(hub: LoopbackHub, code: str) -> None:
    checked(run_client(hub, f"from huggingface_hub import HfApi\napi = HfApi()\n{code}"))
    hub.calls.clear()


@pytest.mark.parametrize("name", BAD_IDS)
def test_bad_ids(name: str) -> None:
    with pytest.raises(CmdfdError, match="bad_repo") as caught:
        check_repo(Repo(name))
    assert "--repo my-lab/my-set" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("tag", BAD_TAGS)
def test_bad_tags(tag: str) -> None:
    with pytest.raises(CmdfdError, match=r"bad_repo.*--tag v1\.0\.0"):
        check_repo(Repo("lab/mini", tag))


@given(st.from_regex(r"[A-Za-z0-9._\- /\n]{0,12}/[A-Za-z0-9._\-\n]{0,12}", fullmatch=True))
def test_what_passes_is_taken_by_the_client_too(name: str) -> None:
    utils = pytest.importorskip("huggingface_hub.utils")
    try:
        check_repo(Repo(name))
    except CmdfdError:
        return
    utils.validate_repo_id(name)
    assert name.count("/") == 1
    assert name == name.strip()


def test_bad_id_makes_no_call(hub: LoopbackHub, tiny: Path) -> None:
    assert "bad_repo" in refused(hub, tiny, "--repo", "lab/../mini")
    assert not hub.calls


def test_the_gate_that_is_not_set(hub: LoopbackHub, tiny: Path) -> None:
    hub.fail_next(9, match="settings", mode="ignore")
    text = refused(hub, tiny)
    assert "bad_repo" in text
    assert "nothing was uploaded" in text
    assert not uploads(hub)
    assert list(hub.files(REPO)) == [".gitattributes"]


def test_visible_repository_without_gate(hub: LoopbackHub, tiny: Path) -> None:
    make(hub, f"api.create_repo({REPO!r}, repo_type='dataset', private=False)")
    text = refused(hub, tiny)
    assert "bad_repo" in text
    assert "visible, gate off" in text
    assert "/settings" in text
    assert not uploads(hub)
    assert not hub.find("settings|preupload")


@pytest.mark.slow
def test_visible_repository_with_a_gate(hub: LoopbackHub, tiny: Path) -> None:
    make(hub, f"api.create_repo({REPO!r}, repo_type='dataset', private=False)")
    hub.repo(REPO).gated = "auto"
    assert "gate auto" in refused(hub, tiny)
    assert not uploads(hub)
    hub.repo(REPO).gated = "manual"
    published(hub, tiny)
    assert remote(hub) == local(tiny)


@pytest.mark.slow
def test_somebody_elses_private_files_are_not_deleted(hub: LoopbackHub, tiny: Path) -> None:
    upload = f"api.upload_file(repo_id={REPO!r}, repo_type='dataset', path_or_fileobj=b'mine', path_in_repo='mine.txt')"
    make(hub, f"api.create_repo({REPO!r}, repo_type='dataset', private=True)\n{upload}")
    text = refused(hub, tiny)
    assert "mine.txt" in text
    assert "bad_repo" in text
    assert remote(hub) == {"mine.txt": b"mine"}
    assert not uploads(hub)


@pytest.mark.slow
def test_tag_with_other_content(hub: LoopbackHub, tiny: Path) -> None:
    make(hub, f"api.create_repo({REPO!r}, repo_type='dataset', private=True)\n"
              f"api.create_tag({REPO!r}, tag='v1.0.0', repo_type='dataset')")  # fmt: skip
    text = refused(hub, tiny)
    assert "a published tag does not change" in text
    assert "--tag" in text
    assert not uploads(hub)


@pytest.mark.slow
def test_gate_lost_before_exposing(hub: LoopbackHub, tiny: Path) -> None:
    hub.when(f"POST {API}/tag", lambda call: setattr(hub.repo(REPO), "gated", False))
    assert "not made visible" in refused(hub, tiny)
    assert hub.repo(REPO).private


@pytest.mark.slow
def test_gate_lost_while_exposing_hides_it_again(hub: LoopbackHub, tiny: Path) -> None:
    hub.when("PUT .*settings", lambda call: setattr(hub.repo(REPO), "gated", False), nth=2)
    text = refused(hub, tiny)
    assert "made private again" in text
    assert hub.repo(REPO).private


def test_gate_that_reads_manual_and_lets_everybody_in(
    hub: LoopbackHub, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings read well, but a file is open: found by trying, and hidden again."""
    import loopback_http
    import loopback_routes

    def broken(hub: LoopbackHub, request: loopback_http.Request, key: str | None) -> object:
        return loopback_http.readable(hub, request, key)

    monkeypatch.setattr(loopback_routes, "opened", broken)
    assert "the gate did not hold for credits.csv" in refused(hub, tiny)
    assert hub.repo(REPO).private


@pytest.mark.slow
def test_bytes_that_change_on_the_way(hub: LoopbackHub, tiny: Path) -> None:
    """A Hub that keeps other bytes than it was sent: found before the tag."""

    def swap(call: Call) -> None:
        repo = hub.repo(REPO)
        tree = repo.commits[repo.head].tree
        tree["test/videos/000/c0.mp4"], tree["credits.csv"] = tree["test/videos/000/c2.mp4"], tree["README.md"]

    hub.when(f"GET {API}/tree/[0-9a-f]{{40}}", swap, nth=2)
    text = refused(hub, tiny)
    assert "not_loadable" in text
    assert "credits.csv" in text
    assert "c0.mp4" in text
    assert hub.repo(REPO).private
    assert not hub.repo(REPO).tags


@pytest.mark.parametrize(
    ("token", "repo", "words"),
    [
        (None, REPO, ("no token", "hf auth login")),
        ("hf_thisTokenIsNoneAtAll123", REPO, ("401", "hf auth login")),
        pytest.param(STRANGER, REPO, ("403", "right to write"), marks=pytest.mark.slow),
        pytest.param(READER, REPO, ("403", "right to write"), marks=pytest.mark.slow),
    ],
)
def test_tokens(hub: LoopbackHub, tiny: Path, token: str | None, repo: str, words: tuple[str, ...]) -> None:
    text = refused(hub, tiny, "--repo", repo, token=token)
    for word in words:
        assert word in text
    assert "hf_this" not in text
    assert not hub.repos


@pytest.mark.slow
def test_somebody_elses_repository(hub: LoopbackHub, tiny: Path) -> None:
    published(hub, tiny)
    hub.calls.clear()
    (tiny / "credits.csv").write_text("theirs")
    assert "403" in refused(hub, tiny, "--tag", "v2", token=STRANGER)
    assert not uploads(hub)


def test_a_hub_that_tells_the_token(hub: LoopbackHub, tiny: Path) -> None:
    hub.fail_next(9, 400, "settings", says=f"no: {OWNER}, hf_abcdefgh1234, Bearer x, http://h/p?sig=secret")
    text = refused(hub, tiny)  # which looks for the token
    assert "[token]" in text
    assert not [secret for secret in ("hf_abc", "Bearer x", "sig=") if secret in text]


@pytest.mark.slow
def test_bad_card(hub: LoopbackHub, tiny: Path) -> None:
    (tiny / "README.md").write_text("---\nlicense: [cc0\n---\n")
    text = refused(hub, tiny)
    assert "YAML" in text
    assert not hub.find("PUT /lfs/upload")


@pytest.mark.slow
def test_rate_limit_and_a_hub_that_stays_down(hub: LoopbackHub, tiny: Path) -> None:
    hub.fail_next(99, status=429, match="repos/create")
    assert "limits the number of calls" in refused(hub, tiny)
    hub.heal()
    hub.fail_next(99, status=503, match="whoami")
    assert "goes on where it stopped" in refused(hub, tiny)


@pytest.mark.slow
def test_nobody_listens(tiny: Path) -> None:
    with LoopbackHub() as gone:
        pass
    assert "can be reached" in refused(gone, tiny)


@pytest.mark.parametrize("name", ["extra.txt", ".gitattributes", "a/.git/x", "a/.cache/x"])
def test_folder_with_what_was_not_staged(tiny: Path, name: str) -> None:
    from publish_client import staged_folder

    staged = staged_folder(tiny)
    check_folder(staged)
    (tiny / name).parent.mkdir(parents=True, exist_ok=True)
    (tiny / name).write_text("x")
    with pytest.raises(CmdfdError, match="publish again"):
        check_folder(staged)
    if name != "extra.txt":
        with pytest.raises(CmdfdError, match="do not take"):
            check_folder(staged_folder(tiny))
    (tiny / name).unlink()
    (tiny / "README.md").write_text("other")
    with pytest.raises(CmdfdError, match=r"README\.md has changed"):
        check_folder(staged)
    (tiny / "README.md").unlink()
    (tiny / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(CmdfdError, match=r"README\.md is a link"):
        check_folder(staged)
    (tiny / "empty").mkdir()
    with pytest.raises(CmdfdError, match="nothing is staged"):
        check_folder(staged_folder(tiny / "empty"))


def test_plan_tells_the_order() -> None:
    steps = plan(Repo("lab/mini", "v2"))
    words = ["private", "gate to manual", "read gate and privacy back", "tombstones", "tag v2", "upload", "compare",
             "load_dataset", "commit v2", "read gate", "visible", "without a token"]  # fmt: skip
    assert [word for word, step in zip(words, steps, strict=True) if word not in step] == []
    assert "leave it private" in plan(Repo("lab/mini", visible=False))[-1]
    with pytest.raises(CmdfdError):
        plan(Repo("x"))
