"""Sets in the form of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.dataset import Dataset

#: Forms that a set can be written in: name -> what it is.
EXPORTS = {
    "cmdfd": "lists in CMDFD's published columns",
    "manualfake": "folders of videos and masks as ManualFake has them",
}


def export_beside(dataset: Dataset, name: str) -> list[str]:
    """Write a set in another form to a folder beside it, `<folder>-<name>`, with that form's usual options.

    What an earlier call wrote there is brought up to date; anything else in its place is refused.

    Args:
        dataset: A finished set.
        name: One of `EXPORTS`.

    Returns:
        Lines for the terminal: what was written, and what was left out.

    Raises:
        CmdfdError: If the form is unknown, or the set cannot be written in it.
    """
    from cmdfd.errors import CmdfdError, nearest

    folder: Path = dataset.folder.resolve()
    if name == "cmdfd":
        from generators.export.cmdfd import export_cmdfd

        lists = export_cmdfd(dataset, folder.with_name(f"{folder.name}-cmdfd"))
        lines = [str(path) for path in lists.files]
        return [*lines, *(f"left out, its labels are withheld: {split}" for split in lists.withheld)]
    if name == "manualfake":
        from generators.export.manualfake import ManualfakeOptions, default_out, export_manualfake, words

        return words(export_manualfake(dataset, default_out(folder), ManualfakeOptions(overwrite=True)))
    raise CmdfdError(f"unknown export {name!r}; {nearest(name, EXPORTS)}")
