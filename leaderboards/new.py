"""`python -m leaderboards.new NAME --set DIR ...`: make a board out of built sets.

It writes board.yaml and, for each set, a table of what the board knows: labels, kinds, components, forged stretches and
the number of forged pixels. Labels that a set withholds stay at home with `--private-truth DIR`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.command import ended
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

EPILOG = """examples:
  python -m leaderboards.new mini --set sets/mini-a --set sets/mini-b:test --title "The mini sets"
  python -m leaderboards.new ours --set sets/ours:test --private-truth ~/truths
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m leaderboards.new",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("name", metavar="NAME", help="name of the board: lower-case letters, digits and hyphens")
    told = "folder of a built set, with the split (default: test); as often as needed"
    p.add_argument("--set", action="append", required=True, dest="sets", metavar="DIR[:SPLIT]", help=told)
    p.add_argument("--boards", type=Path, metavar="DIR", help="folder of boards (default: those of the package)")
    p.add_argument("--title", help="default: the name")
    p.add_argument("--summary", default="", help="what it compares, in two sentences")
    p.add_argument("--contact", default="", help="who looks after it")
    p.add_argument("--rules", type=int, default=1, help="version of the rules (default 1)")
    p.add_argument("--floor", action="append", default=[], metavar="SLUG", help="a submission that is a floor")
    p.add_argument("--metadata-floor", metavar="SLUG", help="the floor that margins are taken over")
    told = "another name of a set's data, as OTHER=NAME/SPLIT, as often as needed"
    p.add_argument("--same-data", action="append", default=[], metavar="OTHER=SET", help=told)
    told = "write the tables to DIR/<board>/truth/ and not beside the board; needed for withheld labels"
    p.add_argument("--private-truth", type=Path, metavar="DIR", help=told)
    p.add_argument("--replace", action="store_true", help="write over a board of the same name; submissions stay")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 0, or 2 with the reason."""
    args = parser().parse_args(argv)
    return ended(lambda: _made(args))


def _made(args: argparse.Namespace) -> int:
    folder = _new(args)
    where = f" --boards {args.boards}" if args.boards else ""
    sys.stdout.write(f"wrote {folder}\nnext: python -m leaderboards.submit RUN --board {args.name}{where}\n")
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    data: Dataset
    split: str

    @property
    def name(self) -> str:
        return f"{self.data.name}/{self.split}"


def _new(args: argparse.Namespace) -> Path:
    from leaderboards.board import BOARD_FILE, SUBMISSIONS, boards_folder, open_board, rules_of
    from leaderboards.records import SLUG

    if not SLUG.fullmatch(args.name):
        raise CmdfdError(f"the name {args.name!r} needs lower-case letters, digits and hyphens, at most 64")
    rules_of(args.rules)
    folder: Path = boards_folder(args.boards) / args.name
    if (folder / BOARD_FILE).exists() and not args.replace:
        raise CmdfdError(f"{folder} is there already: choose another name, or --replace")
    parts = [_part(text) for text in args.sets]
    _no_twice([part.name for part in parts])
    withheld = sorted(part.name for part in parts if part.split in part.data.build.withheld)
    if withheld and args.private_truth is None:
        raise CmdfdError(
            f"the labels of {', '.join(withheld)} are withheld: keep them at home with --private-truth DIR"
        )
    same = _same_data(args.same_data)
    home = folder if args.private_truth is None else args.private_truth.expanduser() / args.name
    if args.private_truth is not None:
        _keep_home(folder, home)
    sets = [_write_part(part, home, lambda text: sys.stderr.write(f"{text}\n")) for part in parts]
    floors = _floors(args.floor, args.metadata_floor)
    (folder / SUBMISSIONS).mkdir(parents=True, exist_ok=True)
    _write_board(
        folder / BOARD_FILE,
        {
            "schema_version": 1,
            "name": args.name,
            "title": args.title or args.name,
            "summary": args.summary,
            "rules": args.rules,
            "sets": sets,
            "same_data": same,
            "metadata_floor": args.metadata_floor,
            "floors": floors,
            "contact": args.contact,
        },
    )
    open_board(folder, args.private_truth.expanduser() if args.private_truth else None)
    return folder


def _floors(named: Sequence[str], metadata: str | None) -> list[str]:
    """Floors as named; the metadata floor is one of them."""
    if metadata is None or metadata in named:
        return list(named)
    sys.stderr.write(f"--metadata-floor {metadata} is not among --floor: added to the board's floors\n")
    return [*named, metadata]


def _keep_home(folder: Path, home: Path) -> None:
    """Truths that are to stay at home must not lie in the board's folder, new ones or those of an earlier board.

    Raises:
        CmdfdError: Where they would, or do.
    """
    if home.resolve().is_relative_to(folder.resolve()):
        raise CmdfdError("--private-truth names the folder of the boards, which is public; name one at home")
    left = sorted(path.name for path in folder.glob("truth/*"))
    if left:
        raise CmdfdError(f"{folder.name}/truth still holds {left[0]!r}: take it away, or its labels stay public")


def _no_twice(names: Sequence[str]) -> None:
    """Raise CmdfdError where two sets have one name; before anything is written."""
    for name in names:
        if names.count(name) > 1:
            raise CmdfdError(f"{name!r} is named by --set twice: a set's name stands once on a board; leave one out")


def _part(text: str) -> _Part:
    from benchmarks.protocol import parse_split
    from cmdfd.dataset import Dataset

    ref = parse_split(text, "test")
    if not Path(ref.dataset).is_dir():
        raise CmdfdError(f"--set {text}: there is no folder {ref.dataset!r}; build the set first")
    part = _Part(Dataset.open(ref.dataset), ref.split)
    unlabelled = sum(clip.labels.label is None or not clip.kind for clip in part.data.clips(ref.split))
    if unlabelled:
        raise CmdfdError(f"{part.name}: {unlabelled} clips have no label in this copy; use the one with labels.parquet")
    return part


def _same_data(pairs: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        other, equals, name = pair.rpartition("=")
        if not equals or not other:
            raise CmdfdError(f"--same-data takes OTHER=NAME/SPLIT, got {pair!r}")
        found.setdefault(other, []).append(name)
    return found


def _write_part(part: _Part, home: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """Write the truth of a set; its entry in the board's file."""
    from leaderboards.truth import write_truth

    table = f"truth/{part.name.replace('/', '-').lower()}.parquet"
    say(f"{part.name}: reading {len(part.data.clips(part.split))} clips")
    sha256 = write_truth(home / table, (truth_row(part.data, clip) for clip in part.data.clips(part.split)))
    title = str(part.data.build.recipe.get("title") or part.name)
    return {
        "name": part.name,
        "title": title,
        "truth": table,
        "truth_sha256": sha256,
        "manifest_sha256": part.data.manifest_sha256,
    }


def truth_row(data: Dataset, clip: Clip) -> dict[str, Any]:
    """What a board knows of a clip; the forged pixels are counted in its mask.

    Args:
        data: The set, with its masks where it has any.
        clip: A clip of it, with labels.
    """
    masked, pixels = _pixels(data, clip)
    return {
        "id": clip.id,
        "sha256": clip.sha256,
        "label": clip.labels.label,
        "kind": clip.kind,
        "variant": clip.variant,
        "component": clip.component,
        "platform": clip.platform,
        "scene": clip.scene,
        "original": clip.original,
        "duration": clip.duration,
        "true_segments": [{"start": one.start, "end": one.end, "modality": str(one.modality)} for one in clip.segments],
        "masked_pixels": masked,
        "pixels": pixels,
    }


def _pixels(data: Dataset, clip: Clip) -> tuple[int, int]:
    """Forged pixels, and all pixels of its frames; as `benchmarks.pixels` counts them."""
    from benchmarks.pixels import truth_kind
    from cmdfd.media.masks import forged, read_mask
    from leaderboards.truth import UNKNOWN_PIXELS

    mask = data.mask_of(clip)
    kind = truth_kind(clip, mask)
    if kind == "empty":
        return 0, clip.n_frames * clip.width * clip.height
    if kind != "mask" or mask is None:
        return UNKNOWN_PIXELS, UNKNOWN_PIXELS
    frames = read_mask(mask).frames
    return int(forged(frames).sum()), int(frames.size)


def _write_board(path: Path, data: dict[str, Any]) -> None:
    import io

    from ruamel.yaml import YAML

    from cmdfd.cache import write_atomic

    yaml = YAML(typ="rt")
    yaml.width = 1000
    stream = io.StringIO()
    yaml.dump(data, stream)
    write_atomic(path, stream.getvalue().encode("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
