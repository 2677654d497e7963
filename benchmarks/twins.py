"""Which real clip a fake is held against: the same take, the same platform, the same scene, and nothing done to it.

The map of a fake may only say where the face is. What the map of its *real twin* scores under the fake's mask shows how
much of a pixel AUC is owed to that: nothing is forged there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.tables import PROVENANCE, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

NO_PROVENANCE = f"the set has no readable {PROVENANCE}, which says which real clip belongs to a fake"
NO_TAKE = f"{PROVENANCE} does not name its take"
NO_REAL = "no unchanged real clip of its take was judged"
OTHER_SIZE = "the real clip of its take has another size"
OTHER_TIME = "the real clip of its take begins or ends at another time"


@dataclass(frozen=True, slots=True)
class Twin:
    """The real twin of a fake, or why there is none.

    Args:
        clip: The real clip; None where there is none.
        why: The reason then, else "".
    """

    clip: Clip | None
    why: str = ""


def twins_of(dataset: Dataset, clips: Iterable[Clip]) -> dict[str, Twin]:
    """The real twin of every fake.

    Args:
        dataset: Where the clips are from; its provenance names their takes.
        clips: Those that are judged together; twins are looked for among them.

    Returns:
        By the fake's id; other clips have no entry. Of several real clips of a take the first by id counts.
    """
    from generators.sheets.origins import is_plain_real

    judged = sorted(clips, key=lambda one: one.id)
    fakes = [clip for clip in judged if clip.labels.label == 1]
    rows = _rows(dataset)
    if rows is None:
        return {clip.id: Twin(None, NO_PROVENANCE) for clip in fakes}
    reals: dict[tuple[str, str, str], Clip] = {}
    for clip in judged:
        row = _row(clip, rows)
        if is_plain_real(clip) and row is not None:
            reals.setdefault((str(row["take"]), clip.platform, clip.scene), clip)
    return {clip.id: _twin(clip, rows, reals) for clip in fakes}


def _rows(dataset: Dataset) -> Mapping[str, Mapping[str, Any]] | None:
    """Rows of the provenance by clip id; None where there is no such table."""
    import pyarrow as pa

    try:
        found = {str(row["id"]): row for row in read_table(dataset.folder / PROVENANCE) if row.get("take")}
    except (OSError, KeyError, pa.ArrowException):
        return None
    return found


def _row(clip: Clip, rows: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """A clip's row; a platform's version is of the take that its original is of."""
    return rows.get(clip.id) or rows.get(clip.original)


def _twin(fake: Clip, rows: Mapping[str, Mapping[str, Any]], reals: Mapping[tuple[str, str, str], Clip]) -> Twin:
    row = _row(fake, rows)
    if row is None:
        return Twin(None, NO_TAKE)
    real = reals.get((str(row["take"]), fake.platform, fake.scene))
    if real is None:
        return Twin(None, NO_REAL)
    if (real.width, real.height) != (fake.width, fake.height):
        return Twin(None, OTHER_SIZE)
    frame = 1 / min(real.fps, fake.fps)
    starts = [one.get("start") if one is not None else None for one in (row, _row(real, rows))]
    shift = 0.0 if starts[0] is None or starts[1] is None else abs(float(starts[0]) - float(starts[1]))
    # platforms round lengths to whole frames; maps and masks meet by time, so that a frame more or less does no harm
    if shift > frame / 2 or abs(real.duration - fake.duration) > frame * 1.001:
        return Twin(None, OTHER_TIME)
    return Twin(real)
