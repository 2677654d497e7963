"""Everything that is plainly wrong with a set, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.audit.setcues.columns import Rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from cmdfd.audit.check import Check
    from cmdfd.audit.pictures import Pictures
    from cmdfd.audit.targets.target import Target

#: Order among equally bad ones: what ends every other question comes first.
_FIRST = ("set", "missing.sound", "missing.picture", "missing", "label", "split", "sampling")


def set_checks(target: Target, table: pd.DataFrame, thumbs: Mapping[Any, Pictures] | None = None) -> tuple[Check, ...]:
    """Look for plain defects: missing streams, copies and people across splits, impossible labels, unequal draws.

    Args:
        target: The set.
        table: Measured cues of its clips, on the index of `target.clips` or a part of it; columns of
            `prints.PRINT_COLUMNS` let it find copies in another encoding. No media is decoded; files of equal size are
            compared by hash where there is no column "sha256".
        thumbs: Pictures by index for clips whose column `print_video` is missing.

    Returns:
        Checks that found something; severity "none" is only worth knowing. What makes a comparison impossible stands
        before everything else.

    Raises:
        ValueError: If `table` cannot be matched to the clips.
    """
    from cmdfd.audit.setcues.copies import copy_checks
    from cmdfd.audit.setcues.demography import demographic_checks
    from cmdfd.audit.setcues.files import file_checks
    from cmdfd.audit.setcues.grading import sorted_checks
    from cmdfd.audit.setcues.labels import label_checks
    from cmdfd.audit.setcues.missing import missing_checks, shape_checks
    from cmdfd.audit.setcues.splits import split_checks

    rows = rows_of(target, table)
    shape = tuple(shape_checks(rows))
    if rows.n == 0:
        return shape
    if thumbs:
        rows = _with_prints(rows, thumbs)
    found = [*missing_checks(rows), *label_checks(rows), *copy_checks(rows), *split_checks(rows)]
    found += [*demographic_checks(rows), *file_checks(rows, target)]
    return (*shape, *sorted_checks(found, _FIRST))


def _with_prints(rows: Rows, thumbs: Mapping[Any, Pictures]) -> Rows:
    from cmdfd.audit.setcues.prints import fingerprint

    known = rows.text("print_video")
    added = [
        fingerprint(thumbs[key], None)["print_video"] or "" if not text and key in thumbs else text
        for key, text in zip(rows.table.index, known, strict=True)
    ]
    return Rows(rows.clips, rows.table.assign(print_video=added))
