"""The contact sheet: each real clip above everything that was made from it, on a few pages of PNG."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cmdfd.cache import write_atomic
from cmdfd.errors import CmdfdError
from generators.sheets.canvas import ROW_HEIGHT, png
from generators.sheets.choice import SheetTake, choose, covering, features, moments, takes_of
from generators.sheets.contact_page import Sample, draw_page, row_height
from generators.sheets.platform_sheet import write_platform_pages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.dataset import Dataset

MAX_PAGES = 4
#: Rows of a page: about 2600 pixels, two screens. Upright scenes have higher rows, and fewer of them.
ROWS_PER_PAGE = 18


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """What was written.

    Args:
        pages: PNG files, in order; none where every split is withheld.
        n_takes: Takes on them.
        n_clips: Clips on them, versions from platforms not counted.
        left_out: Clips of the chosen takes for which there was no room.
        unreadable: Ids of clips that could not be decoded; their rows say why.
        platform_pages: PNG files that show clips on each platform; none for a set without platforms.
    """

    pages: tuple[Path, ...]
    n_takes: int
    n_clips: int
    left_out: int
    unreadable: tuple[str, ...]
    platform_pages: tuple[Path, ...] = ()


def write_contact_sheet(dataset: Dataset, folder: Path, *, people: int = 6, frames: int = 4) -> ContactSheet:
    """Write `contact_sheet-1.png` ... for a sample of takes; older pages are removed.

    Splits whose labels are withheld are not shown. There are at most `MAX_PAGES` pages; where the sample does not
    fit, fewer people are shown, and of the last one what there is room for. Every scene and every kind of fake is on
    them, as far as there is room. For a set with platforms, `platform_sheet-1.png` ... show clips on each of them.

    Args:
        dataset: A finished set with its provenance.
        folder: Where the pages go, e.g. `dataset.folder / "sheets"`.
        people: Takes to show, of different people as far as possible; at least 1. More where scenes or kinds would
            not be seen otherwise.
        frames: Frames of each clip, 1 to 8.

    Raises:
        CmdfdError: For numbers out of range, or a set without provenance.
    """
    if people < 1 or not 1 <= frames <= 8:
        raise CmdfdError(f"a contact sheet needs at least 1 person and 1 to 8 frames, got {people} and {frames}")
    everything = takes_of(dataset)
    chosen = covering(everything, people)
    while len(chosen) > 1 and len(_pages(chosen)) > MAX_PAGES:
        chosen = _fewer(everything, chosen)
    shown = [take for take in everything if take in chosen]
    plan = _pages(shown)
    pages = plan[:MAX_PAGES]
    n_clips = sum(len(part.clips) for page in pages for part in page)
    sample = Sample(
        n_shown=len(shown),
        n_takes=len(everything),
        n_clips=n_clips,
        left_out=sum(len(take.clips) for take in shown) - n_clips,
        moments={(take.split, take.key): moments(take, frames) for take in shown},
    )
    files, unreadable = _write(dataset, folder, pages, sample)
    platforms = write_platform_pages(dataset, folder, shown)
    return ContactSheet(files, len(shown), n_clips, sample.left_out, unreadable, platforms)


def _fewer(everything: Sequence[SheetTake], chosen: Sequence[SheetTake]) -> list[SheetTake]:
    """One take less, another choice if that shows as much."""
    other = choose(everything, len(chosen) - 1)
    seen = set().union(*(features(take) for take in chosen))
    return other if set().union(*(features(take) for take in other)) == seen else list(chosen[:-1])


def _pages(takes: Sequence[SheetTake]) -> list[list[SheetTake]]:
    """Takes on pages: whole ones together as far as they fit, those longer than a page in parts."""
    pages: list[list[SheetTake]] = []
    room = 0
    for take in takes:
        height = row_height(take)
        most = max(ROWS_PER_PAGE * ROW_HEIGHT // height, 1)
        for start in range(0, len(take.clips), most):
            stop = start + most
            part = replace(take, clips=take.clips[start:stop], origins=take.origins[start:stop])
            if len(part.clips) * height > room:
                pages.append([])
                room = ROWS_PER_PAGE * ROW_HEIGHT
            pages[-1].append(part)
            room -= len(part.clips) * height
    return pages


def _write(
    dataset: Dataset, folder: Path, pages: Sequence[Sequence[SheetTake]], sample: Sample
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files, and ids of clips that could not be read."""
    files: list[Path] = []
    unreadable: list[str] = []
    for number, page in enumerate(pages, start=1):
        image, failed = draw_page(dataset, page, sample, f"page {number} of {len(pages)}")
        files.append(folder / f"contact_sheet-{number}.png")
        write_atomic(files[-1], png(image))
        unreadable += failed
    for old in folder.glob("contact_sheet-*.png"):
        if old not in files:
            old.unlink()
    return tuple(files), tuple(unreadable)
