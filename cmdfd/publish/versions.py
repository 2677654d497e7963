"""The card's table of versions: what changed in each, and how many clips were withdrawn with it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from cmdfd.audit.report.prose import markdown
from cmdfd.publish.words import prose
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.publish.blanks import Blanks
    from cmdfd.publish.records import Repo
    from cmdfd.publish.words import Change


def version_rows(repo: Repo, withdrawn: Mapping[str, str], blanks: Blanks) -> list[list[str]]:
    """Version, date, what changed, clips withdrawn; the newest first.

    The tombstones of a set know since which version a clip is gone. A version that only they know has a row of its
    own. Those of a takedown that was given no tag went with the version that is published now, or before it.

    Args:
        repo: Where the set goes; its tag is the version that is published now.
        withdrawn: Tombstones, id to version.
        blanks: The publisher's words, and what is missing in them.
    """
    words = blanks.words
    counts = Counter(_plain(version) if _is_tag(version) else _plain(repo.tag) for version in withdrawn.values())
    rows = [_told(one, counts, blanks) for one in words.changes]
    known = {_plain(one.version) for one in words.changes}
    now = _plain(repo.tag)
    if now not in known:
        first = not words.changes and not withdrawn
        what = "first release" if first else _what(repo.tag, counts[now], blanks)
        rows.insert(0, [markdown(repo.tag), blanks.blank(f"date of {repo.tag}", "changes"), what, str(counts[now])])
    for version in sorted(counts.keys() - known - {now}):
        what = f"{plural(counts[version], 'clip')} withdrawn"
        row = [markdown(f"v{version}"), blanks.blank(f"date of v{version}", "changes"), what, str(counts[version])]
        rows.insert(next((n for n, other in enumerate(rows) if _age(other[0]) < _age(version)), len(rows)), row)
    return rows


def _told(one: Change, counts: Mapping[str, int], blanks: Blanks) -> list[str]:
    """A version that the publisher tells of; tombstones count better than people."""
    date = one.date or blanks.blank(f"date of {one.version}", "changes")
    what = " ".join(prose(one.what).replace("|", "\\|").split()) if one.what else ""
    n_gone = counts.get(_plain(one.version), 0)
    return [markdown(one.version), date, what or _what(one.version, n_gone, blanks), str(n_gone or one.withdrawn)]


def _what(version: str, n_gone: int, blanks: Blanks) -> str:
    gone = f"{plural(n_gone, 'clip')} withdrawn; " if n_gone else ""
    return gone + blanks.blank(f"what changed in {version}", "changes")


def _age(version: str) -> tuple[int, ...]:
    """Numbers of a version, so that v1.10 comes after v1.9."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", version))


def release(version: str) -> tuple[int, int, int] | None:
    """Numbers of a version like v1.10.0, for their order; None for any other name.

    >>> release("v1.10.0")
    (1, 10, 0)
    """
    match = re.fullmatch(r"v?([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})", version)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def _plain(version: str) -> str:
    return version.removeprefix("v")


def _is_tag(version: str) -> bool:
    """Whether a takedown was given the tag of a version, rather than named "takedown-1" by itself."""
    return _plain(version)[:1].isdigit()
