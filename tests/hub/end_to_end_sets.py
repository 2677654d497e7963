"""What the tests of whole command lines share: commands, what lies on a Hub, and what must come back from it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from hub_client import checked, run_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from subprocess import CompletedProcess

    from loopback_hub import LoopbackHub

REPO = "lab/deepfakes"
API = f"/api/datasets/{REPO}"
#: Layout -> column of the media, as `load_dataset` calls it.
COLUMNS = {"videofolder": "video", "webdataset": "mp4", "parquet": "video"}
CLIENT = str(Path(__file__).with_name("end_to_end_client.py"))
#: For sets with so few people that no audit could find anything.
SMALL = ("--audit", "quick", "--workers", "1", "--accept", "audit_missing=a set of tests, nobody trains on it")


def publish(hub: LoopbackHub, folder: Path, out: Path, *words: str, repo: str = REPO) -> CompletedProcess[str]:
    return run_client(hub, ["-m", "cmdfd.publish", *arguments(folder, out, *words, repo=repo)], timeout=300)


def arguments(folder: Path, out: Path, *words: str, repo: str = REPO) -> list[str]:
    """Words of `cmdfd.publish`, with a card that names a contact unless another one is given."""
    return [str(folder), "--repo", repo, "-o", str(out), *words, *([] if "--card" in words else card(out))]


def card(out: Path) -> list[str]:
    """`--card FILE`, with as little in it as a real publication needs."""
    path = out.with_name("contact.yaml")
    path.write_text("contact: Data office, office@lab.example\n")
    return ["--card", str(path)]


def check_untouched(hub: LoopbackHub) -> None:
    """Nothing was made or changed on the Hub; it may have been asked."""
    assert hub.repos == {} and not [call for call in hub.calls if call.method not in ("GET", "HEAD")]


def listed(out: Path, repo: str = REPO) -> dict[str, tuple[str, int]]:
    """Path -> SHA-256 and bytes, of the list that a (dry) run wrote."""
    lines = (out / f"{repo.replace('/', '--')}.files.txt").read_text().splitlines()
    fields = [line.split(maxsplit=2) for line in lines]
    return {path: (sha256, int(size)) for sha256, size, path in fields}


def lying(hub: LoopbackHub, revision: str = "main", repo: str = REPO) -> dict[str, tuple[str, int]]:
    """The same of what lies on the Hub; its own file of attributes is not ours."""
    return {
        path: (hashlib.sha256(data).hexdigest(), len(data))
        for path, data in hub.files(repo, revision).items()
        if path != ".gitattributes"
    }


def rows_at_home(folder: Path, withheld: Iterable[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables that were built, as they must come back, by split and id."""
    found = {}
    for path in sorted(folder.glob("*/metadata.parquet")):
        rows = sorted(pq.read_table(path).to_pylist(), key=lambda row: str(row["id"]))
        for row in rows:
            row["media"] = hashlib.sha256((path.parent / row["file_name"]).read_bytes()).hexdigest()
            if path.parent.name in withheld:  # the rest is empty at home, too
                row |= {"tracks": None, "tracks_sha256": ""}
        found[path.parent.name] = rows
    return found


def rows_of_hub(hub: LoopbackHub, *wanted: tuple[str, str, str]) -> list[dict[str, list[dict[str, Any]]]]:
    """What a reader's `load_dataset` gives for (repository, revision, layout), whole and streaming, sorted by id."""
    words = [word for repo, revision, layout in wanted for word in (repo, revision, COLUMNS[layout])]
    came = json.loads(checked(run_client(hub, [CLIENT, *words], timeout=300)).splitlines()[-1])
    return [{split: sorted(rows, key=lambda row: str(row["id"])) for split, rows in one.items()} for one in came]


def check_rows(came: dict[str, Any], home: dict[str, Any], layout: str) -> None:
    """Bytes, labels, segments and every other column are equal."""
    assert list(came) == [split for split in ("train", "validation", "test") if split in home]
    for split, rows in home.items():
        dropped = {"file_name"} if layout == "videofolder" else set()  # `load_dataset` makes it the media
        wanted = [{name: value for name, value in row.items() if name not in dropped} for row in rows]
        found = [{name: value for name, value in row.items() if name not in dropped} for row in came[split]]
        assert all(row["media"] == row["sha256"] for row in found)
        assert found == wanted


def members(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Files, and the members of tars and the media of tables among them."""
    for path, data in files.items():
        yield path, data
        if path.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                yield from ((member.name, stream.read()) for member in tar if (stream := tar.extractfile(member)))
        elif path.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(data))
            yield f"{path}: all cells", "\n".join(map(str, table.to_pylist())).encode()


def check_sides(files: dict[str, bytes], folder: Path, withheld: Iterable[str] = ()) -> None:
    """Masks and tracks of open splits are there byte for byte, and no others."""
    wanted = {}
    for split, rows in rows_at_home(folder).items():
        for name in (row[column] for row in rows for column in ("mask", "tracks")):
            if name and split not in withheld:
                wanted[Path(name).name] = (folder / name).read_bytes()
    ends = (".mkv", ".npz")
    found = {Path(path).name: data for path, data in members(files) if path.endswith(ends)}
    assert found == wanted


def check_order(hub: LoopbackHub, start: int = 0) -> None:
    """Private, gate, read back, files, compared, loaded, tag, gate read back, visible, gate tried; in this order."""
    calls = hub.calls[start:]
    texts = [call.text for call in calls]
    steps = (
        "POST /api/repos/create", f"PUT {API}/settings", f"GET {API}", "PUT /lfs/", f"POST {API}/commit",
        f"GET {API}/tree", f"/datasets/{REPO}/resolve/", f"POST {API}/tag", f"GET {API}", f"PUT {API}/settings",
        f"GET {API}", f"/datasets/{REPO}/resolve/",
    )  # fmt: skip
    place = -1
    for step in steps:
        following = [n for n in range(place + 1, len(texts)) if step in texts[n]]
        assert following, f"no {step!r} after {texts[place]!r}"
        place = following[0]
    last = texts[place]
    assert calls[place].user is None and calls[place].status in (401, 403), last  # a stranger tried, and was refused
    tag = next(n for n, text in enumerate(texts) if text.startswith(f"POST {API}/tag"))
    sent = [n for n, text in enumerate(texts) if text.startswith(("PUT /lfs/", f"POST {API}/commit"))]
    assert max(sent) < tag
    assert all(call.private and call.gated == "manual" for call in calls if call.text.startswith(f"POST {API}/commit"))
    assert not [call for call in calls if call.repo and not call.private and call.gated != "manual"]
    repo = hub.repo(REPO)
    assert (repo.private, repo.gated) == (False, "manual")


def told_codes(done: CompletedProcess[str]) -> set[str]:
    """Codes of a refusal; every one comes with a place, a reason and a fix."""
    assert done.returncode == 1, done.stdout + done.stderr
    codes = re.findall(r"^- (\w+) \(", done.stdout, re.MULTILINE)
    assert done.stdout.count("\n    fix: ") == len(codes) > 0, done.stdout
    return set(codes)


def build(name: str, folder: Path, *words: str) -> Path:
    """Build a set of a recipe by the command line, as its users do."""
    import subprocess

    command = [sys.executable, "-m", "generators.build", name, "--out", str(folder), "--workers", "2", *words]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
