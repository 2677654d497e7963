"""Which licence a set is under, why, and how the Hub and others write it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cmdfd.report.text import clean, plural
from cmdfd.rights import LICENCE_ORDER, most_restrictive
from cmdfd.tables import PROVENANCE, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmdfd.clip import Clip, Rights
    from cmdfd.dataset import Dataset

#: Names in `LICENCE_ORDER` that are no SPDX ids.
_NOT_SPDX = frozenset({"public-domain", "research-only"})
#: Lower-case SPDX ids that the Hub takes as `license` (its documentation, "Licenses", August 2026).
HUB_LICENCES = {name: name.lower() for name in LICENCE_ORDER if name not in _NOT_SPDX}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Clips of open splits that share licence, consent and origin.

    Args:
        licence: Inherited by the clip from everything that went into it.
        consent: The same.
        pristine: Whether nothing in its sources had been edited or generated before.
        clips: How many.
        recordings: Recordings that went into them.
        people: Faces in them; voices, where no face is known.
    """

    licence: str
    consent: str
    pristine: bool
    clips: int
    recordings: int
    people: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What may be done with a set, and from which rights that follows.

    Args:
        rows: Open splits, the most common rights first.
        overall: The most restrictive rights of all clips, withheld splits included.
        withheld: Clips of withheld splits; which rights each of them has is not told, since a clip of mixed rights
            was made from several recordings.
        overrides: Reason of an override at building -> clips of open splits that were made by it; 0 where it concerned
            withheld splits alone.
    """

    rows: tuple[LedgerRow, ...]
    overall: Rights
    withheld: int = 0
    overrides: dict[str, int] = field(default_factory=dict)


def licence_ledger(dataset: Dataset) -> Ledger:
    """Licences and consent of a set's clips, and what follows for the whole.

    Args:
        dataset: A built set, with its labels.
    """
    hidden = frozenset(dataset.build.withheld)
    shown = [clip for clip in dataset.rows if clip.split not in hidden]
    groups: dict[Rights, list[Clip]] = defaultdict(list)
    for clip in shown:
        groups[clip.rights].append(clip)
    rows = [_row(rights, clips) for rights, clips in groups.items()]
    rows.sort(key=lambda row: (-row.clips, row.licence, row.consent, row.pristine))
    overall = most_restrictive(clip.rights for clip in dataset.rows)
    return Ledger(tuple(rows), overall, len(dataset.rows) - len(shown), _overrides(dataset, shown))


def _row(rights: Rights, clips: list[Clip]) -> LedgerRow:
    recordings = {source for clip in clips for source in clip.source_ids}
    people = {name for clip in clips for name in (clip.face_id, clip.voice_id) if name}
    faces = {clip.face_id for clip in clips if clip.face_id}
    return LedgerRow(
        rights.licence, rights.consent, rights.pristine, len(clips), len(recordings), len(faces) or len(people)
    )


def _overrides(dataset: Dataset, shown: Iterable[Clip]) -> dict[str, int]:
    """Reasons of `--override-rights`, with the clips that they allowed."""
    path = dataset.folder / PROVENANCE
    if not path.is_file():
        return {}
    reasons = {str(row["id"]): str(row.get("rights_override") or "") for row in read_table(path)}
    counts = Counter(reasons.get(clip.id, "") for clip in shown)
    return {reason: counts[reason] for reason in sorted(set(reasons.values())) if reason}


def overridden(clips: int) -> str:
    """How many clips an override concerned, in words."""
    return plural(clips, "clip") if clips else "clips of withheld splits"


@dataclass(frozen=True, slots=True)
class HubLicence:
    """A licence in the words of the Hub's card.

    Args:
        license: An id of the Hub's, or "other".
        name: `license_name` where it is "other", else "".
        link: `license_link` where it is "other", else "".
        url: Its text, or this repository's LICENSE file, as an address.
    """

    license: str
    name: str
    link: str
    url: str


def hub_licence(licence: str, repo_id: str, tag: str) -> HubLicence:
    """How the Hub names a licence.

    Args:
        licence: As in `Rights`.
        repo_id: "ORG/NAME".
        tag: Version that the link points to.
    """
    known = HUB_LICENCES.get(licence)
    if known is not None:
        return HubLicence(known, "", "", f"https://spdx.org/licenses/{licence}.html")
    slug = re.sub(r"[^a-z0-9.]+", "-", clean(licence).lower()).strip("-.")[:80].strip("-.")
    link = f"https://huggingface.co/datasets/{repo_id}/blob/{tag}/LICENSE"
    return HubLicence("other", slug or "unclear", "LICENSE", link)


def licence_text(name: str, ledger: Ledger, licence: HubLicence, gate: Iterable[str]) -> str:
    """The LICENSE file: which licence, of what it follows, and what the gate asks for; no licence is written out.

    Args:
        name: Of the set.
        ledger: Of `licence_ledger`.
        licence: Of `hub_licence`.
        gate: Lines about the gate, of `cmdfd.publish.gate.licence_lines`.
    """
    lines = [f"Licence of the data set {clean(name)}", "", f"    {clean(ledger.overall.licence)}", ""]
    if licence.license != "other":
        lines += [f"Its text: {licence.url}", ""]
    lines += [
        "It is the most restrictive licence among the sources and the terms of the generators. Single clips stand",
        "under these (columns licence, consent and pristine of the tables):",
        "",
    ]
    for row in ledger.rows:
        source = "pristine sources" if row.pristine else "edited or generated sources"
        lines.append(f"    {clean(row.licence)}; consent {clean(row.consent)}; {source}: {row.clips} clips")
    if ledger.withheld:
        lines.append(f"    withheld splits: {ledger.withheld} clips, under the licence named first")
    if ledger.overrides:
        lines += ["", "Rights that were overridden when the set was built:", ""]
        lines += [f"    {overridden(clips)}: {clean(reason)}" for reason, clips in ledger.overrides.items()]
    return "\n".join([*lines, "", *gate]) + "\n"
