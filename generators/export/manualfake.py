"""`python -m generators.export.manualfake DIR`: a set in the folders that ManualFake's readers take.

```
OUT/data/<set>/real/videos/<clip>__<platform>.mp4    set: train, val or test; platform: "original" or its name
OUT/data/<set>/fake/videos/<clip>__<platform>.mp4
OUT/data/<set>/fake/masks/<clip>__<platform>.mp4     lossless grey, the frames and time stamps of its clip
OUT/manifest.csv, left_out.csv, README.txt
```

`<clip>` is the opaque id of the original, so that all versions of a clip sort together; they share a split as well.
What the published layout leaves open is done so:

- It has no list of clips and no rights. `manifest.csv` has both, with labels (1 = fake), segments and components.
- A pixel is forged where its mask is above 10 of 255, as in ST-DDL's loader. Masks keep their soft edge.
- Folders tell the label: splits whose labels are withheld are left out.
- It is about pictures. A fake without forged pixels (swapped sound) is left out, or with `--unmasked empty` a fake
  whose mask is empty. One whose picture is forged, but of which no mask is known, is left out in any case.
- Reals have no masks; `--empty-masks` writes empty ones to `real/masks`.

An export that was stopped goes on where it was. `manifest.csv` is written last: where it is, all is there. A file that
is not as the export wrote it is written again; files of others in the folder stay as they are, and links in the place
of its folders are refused.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from cmdfd.cache import write_atomic
from cmdfd.clip import sha256_file
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError, nearest
from cmdfd.media.encode import atomic_path
from generators.export.manualfake_folder import MANIFEST, Ledger, refuse_foreign
from generators.export.manualfake_text import Exported, LeftOut, left_out_csv, manifest_csv, readme
from generators.folders import WORK
from generators.sheets.origins import open_splits
from generators.workspace import lock, remove_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cmdfd.clip import Clip

Link = Literal["copy", "hard", "symbolic"]
Unmasked = Literal["leave-out", "empty"]
#: Folders of the splits, named as the published ones are.
SETS = {"train": "train", "validation": "val", "test": "test"}
ORIGINAL = "original"
LEFT_OUT, README = "left_out.csv", "README.txt"
_SUFFIX = ".mp4"


@dataclass(frozen=True, slots=True)
class ManualfakeOptions:
    """How a set is exported.

    Args:
        splits: Splits to export; all whose labels are open if None.
        link: How videos get there: "copy", or "hard" or "symbolic" links to the files of the set.
        unmasked: What becomes of fakes without forged pixels: "leave-out", or "empty" for a mask of nothing.
        empty_masks: Write empty masks of the reals, too.
        overwrite: Replace another export in the folder: remove the files that its manifest names.
    """

    splits: tuple[str, ...] | None = None
    link: Link = "copy"
    unmasked: Unmasked = "leave-out"
    empty_masks: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        for value, allowed in ((self.link, get_args(Link)), (self.unmasked, get_args(Unmasked))):
            if value not in allowed:
                raise CmdfdError(f"unknown value {value!r}; {nearest(str(value), allowed)}")


@dataclass(frozen=True, slots=True)
class ManualfakeExport:
    """What was written.

    Args:
        folder: Where.
        n_real: Videos of reals.
        n_fake: Videos of fakes.
        n_masks: Masks.
        kept: Files that were there already.
        withheld: Splits that were left out, since their labels stay at home.
        left_out: Clips that were left out, by reason.
    """

    folder: Path
    n_real: int
    n_fake: int
    n_masks: int
    kept: int
    withheld: tuple[str, ...]
    left_out: Mapping[str, int]


def export_manualfake(
    dataset: Dataset,
    out: Path,
    options: ManualfakeOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ManualfakeExport:
    """Write a set as ManualFake is laid out; see the module's text.

    Args:
        dataset: A finished set.
        out: Folder to write; not inside the set. New, empty, or one with an export of the same set and options.
        options: How.
        progress: Told how many clips are written, of how many.

    Raises:
        CmdfdError: If `out` holds something else, or a link instead of a folder; if a split is withheld or unknown,
            there is no clip to export, or a mask does not fit its clip.
        MediaError: If a file of the set cannot be read.
        OSError: If a file cannot be written.
    """
    chosen = options or ManualfakeOptions()
    out, home = out.resolve(), dataset.folder.resolve()
    if out.is_relative_to(home) or home.is_relative_to(out):
        raise CmdfdError(f"{out}: lies inside the set {home} or around it; name a folder beside it")
    splits = _splits(dataset, chosen)
    left_out: list[LeftOut] = []
    entries = list(_entries(dataset, splits, chosen, left_out))
    if not entries:
        hidden = f"; the labels of {', '.join(dataset.build.withheld)} are withheld" if dataset.build.withheld else ""
        raise CmdfdError(f"{dataset.folder}: no clip to export{hidden}")
    refuse_foreign(dataset, out, chosen)
    out.mkdir(parents=True, exist_ok=True)
    with lock(out / WORK / "export.lock"):
        ledger = Ledger(dataset, out, chosen)
        ledger.begin(entries)
        kept = 0
        for number, entry in enumerate(entries, start=1):
            kept += _write(dataset, out, entry, chosen, ledger)
            (progress or (lambda done, total: None))(number, len(entries))
        hidden_splits = tuple(split for split in dataset.splits if split not in open_splits(dataset))
        write_atomic(out / LEFT_OUT, left_out_csv(left_out).encode())
        write_atomic(out / README, readme(dataset, entries, left_out, hidden_splits).encode())
        write_atomic(out / MANIFEST, manifest_csv(entries, ledger.masks).encode())
    remove_work(out)
    fakes, masks = sum(entry.fake for entry in entries), sum(entry.mask is not None for entry in entries)
    reasons = Counter(one.reason for one in left_out)
    return ManualfakeExport(out, len(entries) - fakes, fakes, masks, kept, hidden_splits, reasons)


def _splits(dataset: Dataset, options: ManualfakeOptions) -> tuple[str, ...]:
    able = open_splits(dataset)
    if options.splits is None:
        return able
    for split in options.splits:
        if split not in dataset.splits:
            raise CmdfdError(f"{dataset.name!r} has no split {split!r}: {nearest(split, dataset.splits)}")
        if split not in able:
            raise CmdfdError(f"the labels of {split!r} are withheld, and folders named real and fake would tell them")
    return tuple(split for split in able if split in options.splits)


def _entries(
    dataset: Dataset, splits: Sequence[str], options: ManualfakeOptions, left_out: list[LeftOut]
) -> Iterator[Exported]:
    """What is written, in the order of the manifest; what is not goes to `left_out`."""
    taken: dict[str, Clip] = {}
    for split in splits:
        for clip in sorted(dataset.clips(split), key=lambda one: (one.labels.label or 0, _name(one))):
            name = _name(clip)
            reason = _problem(clip, options)
            if reason:
                left_out.append(LeftOut(name, SETS[split], clip.kind, reason))
                continue
            if name in taken:
                raise CmdfdError(f"{taken[name].platform!r} and {clip.platform!r} would both be called {name!r}")
            taken[name] = clip
            fake = clip.labels.label == 1
            place = f"data/{SETS[split]}/{'fake' if fake else 'real'}"
            masked = fake or options.empty_masks
            yield Exported(
                clip=clip,
                name=name,
                set=SETS[split],
                video=f"{place}/videos/{name}{_SUFFIX}",
                mask=f"{place}/masks/{name}{_SUFFIX}" if masked else None,
            )


def _name(clip: Clip) -> str:
    """`<clip>__<platform>`, with no sign that a file system or a shell could stumble over."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]", "_", f"{clip.original or clip.id}__{clip.platform or ORIGINAL}")
    return plain.lstrip(".-")


def _problem(clip: Clip, options: ManualfakeOptions) -> str:
    """Why a clip has no place in this layout, "" if it has one."""
    if clip.labels.label is None:
        return "nobody knows whether it is real or fake"
    if Path(clip.file).suffix.lower() != _SUFFIX:
        return f"its readers take {_SUFFIX} only, and this is {Path(clip.file).suffix}: build with container mp4"
    if clip.labels.label == 0 or clip.mask is not None:
        return ""
    if clip.labels.video_label != 0:
        return "its picture is forged, or nobody knows, but there is no mask"
    return "" if options.unmasked == "empty" else "its picture is not forged (--unmasked empty takes it)"


def _write(dataset: Dataset, out: Path, entry: Exported, options: ManualfakeOptions, ledger: Ledger) -> int:
    """Put one clip and its mask in place; returns how many of the files were there already."""
    source, video = dataset.path_of(entry.clip), out / entry.video
    if not source.is_file():
        raise CmdfdError(f"{source}: missing; the set is damaged, build it again")
    kept = 0
    if _is_there(video, source, entry.clip, options.link):
        kept += 1
    else:
        _place(source, video, options.link)
    if entry.mask is not None:
        mask = out / entry.mask
        if ledger.holds(entry.mask):
            kept += 1
        else:
            from generators.export.mask_video import convert_mask

            mask.parent.mkdir(parents=True, exist_ok=True)
            convert_mask(dataset.mask_of(entry.clip), source, mask)
            ledger.add(entry.mask)
    return kept


def _is_there(video: Path, source: Path, clip: Clip, link: Link) -> bool:
    if not video.is_file():
        return False
    if link != "copy":
        return video.is_symlink() == (link == "symbolic") and video.samefile(source)
    return not video.is_symlink() and not video.samefile(source) and sha256_file(video) == clip.sha256


def _place(source: Path, video: Path, link: Link) -> None:
    video.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(video) as temporary:
        if link == "copy":
            shutil.copyfile(source, temporary)
        elif link == "hard":
            try:
                os.link(source.resolve(), temporary)
            except OSError as error:
                raise CmdfdError(f"{video}: no hard link can be made here ({error}); use --link copy") from error
        else:
            temporary.symlink_to(os.path.relpath(source.resolve(), video.parent.resolve()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 where the set cannot be exported."""
    named = _parser().parse_args(arguments)
    folder = named.folder.resolve()
    options = ManualfakeOptions(
        splits=tuple(named.split) if named.split else None,
        link=named.link,
        unmasked=named.unmasked,
        empty_masks=named.empty_masks,
        overwrite=named.overwrite,
    )
    try:
        made = export_manualfake(Dataset.open(named.folder), named.out or default_out(folder), options)
    except (CmdfdError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in words(made)))
    return 0


def default_out(folder: Path) -> Path:
    """Where a set goes unless somebody says otherwise: beside it."""
    return folder.with_name(f"{folder.name}-manualfake")


def words(made: ManualfakeExport) -> list[str]:
    """What was written, for the terminal."""
    return [
        f"{made.n_real} real and {made.n_fake} fake videos, {made.n_masks} masks: {made.folder}",
        *(f"left out, its labels are withheld: {split}" for split in made.withheld),
        *(f"left out: {number} fakes: {reason}" for reason, number in sorted(made.left_out.items())),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generators.export.manualfake",
        description="Write a set in the folders that readers of ManualFake take. Run again, a stopped export goes on.",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="a finished set")
    add("--out", type=Path, metavar="OUT", help="folder to write (default: DIR-manualfake)")
    add("--split", action="append", metavar="NAME", help="export this split only; can be given again")
    add("--link", choices=get_args(Link), default="copy", help="copy videos, or link to the set (default: copy)")
    add(
        "--unmasked",
        choices=get_args(Unmasked),
        default="leave-out",
        help="fakes without forged pixels: leave them out (default), or write an empty mask",
    )
    add("--empty-masks", action="store_true", help="write empty masks of the reals, too")
    add("--overwrite", action="store_true", help="replace another export in OUT")
    return parser


if __name__ == "__main__":
    sys.exit(main())
