"""What is printed: exactly what goes public, or went, what stays at home, and what the card still lacks."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cmdfd.cache import write_atomic
from cmdfd.publish.hub import plan
from cmdfd.report.text import clean, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.publish.records import Checked, Repo, Staged


def plan_lines(staged: Staged, checked: Checked, repo: Repo, blanks: Sequence[str], listing: Path) -> list[str]:
    """The plan, a line each.

    Args:
        staged: The public copy.
        checked: The checks.
        repo: Where it goes.
        blanks: What the card leaves open.
        listing: File that names every file, see `write_listing`.
    """
    lines = [
        f"{clean(staged.name)} -> dataset {repo.id}, tag {repo.tag}, {_what(staged)}",
        *_files(staged, listing),
        *(f"  {step}" for step in plan(repo, media=not staged.recipe_only)),
        *_beside(staged, checked),
    ]
    if blanks:
        lines.append(f"the card has {plural(len(blanks), 'blank')}; fill them with --card words.yaml:")
        lines += _blanks(blanks)
    return lines


def sent_lines(
    staged: Staged, checked: Checked, repo: Repo, blanks: Sequence[str], listing: Path, steps: Sequence[str]
) -> list[str]:
    """What was sent, a line each: the same files as in the plan, and the steps as they were done.

    Args:
        staged: The public copy.
        checked: The checks.
        repo: Where it went.
        blanks: What the card leaves open.
        listing: File that names every file, see `write_listing`.
        steps: What was done, in order.
    """
    lines = [
        f"what was sent: {clean(staged.name)} to dataset {repo.id}, tag {repo.tag}, {_what(staged)}",
        *_files(staged, listing),
        *(f"  {number}. {clean(step)}" for number, step in enumerate(steps, 1)),
        *_beside(staged, checked),
    ]
    if blanks:
        lines.append(
            f"the card has {plural(len(blanks), 'blank')}; the tag {repo.tag} keeps them, so fill them with --card "
            "words.yaml for a next version:"
        )
        lines += _blanks(blanks)
    return lines


def _what(staged: Staged) -> str:
    return "tables and recipe, no media" if staged.recipe_only else staged.layout


def _files(staged: Staged, listing: Path) -> list[str]:
    return [
        f"{plural(len(staged.files), 'file')}, {_size(staged.size)}; each with its SHA-256 in {listing}",
        *(f"  {count:6d}  {_size(size):>9}  {name}" for name, count, size in _groups(staged)),
    ]


def _beside(staged: Staged, checked: Checked) -> list[str]:
    lines = [f"stays at home: {clean(name)}: {clean(why)}" for name, why in staged.kept_home]
    lines += [f"accepted: {code}: {clean(reason)}" for code, reason in checked.overrides.items()]
    lines += [f"note: {clean(note)}" for note in checked.notes]
    return lines


def _blanks(blanks: Sequence[str]) -> list[str]:
    return [f"  [to be filled: {clean(blank)}]" for blank in blanks]


def write_listing(staged: Staged) -> Path:
    """Write one line for each file that goes public: SHA-256, bytes, path; as `sha256sum` writes it, with sizes.

    Args:
        staged: The public copy.

    Returns:
        The file, beside the copy: NAME.files.txt.
    """
    path = staged.folder.with_name(f"{staged.folder.name}.files.txt")
    lines = [f"{file.sha256}  {file.size:>12}  {file.path}" for file in staged.files]
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    return path


def _groups(staged: Staged) -> list[tuple[str, int, int]]:
    """(where, files, bytes): single files of the top, folders by their first two levels."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for file in staged.files:
        parts = PurePosixPath(file.path).parts
        name = file.path if len(parts) < 3 else f"{'/'.join(parts[:2])}/"
        counts[name] += 1
        sizes[name] += file.size
    return [(name, counts[name], sizes[name]) for name in sorted(counts)]


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} B"
