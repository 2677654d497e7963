"""What tells the labels of a withheld split, and must stay at home or is refused.

Labels, kinds, generators, people, sources, segments, masks, provenance and stages tell them. So do face tracks: that
of an edited clip is edited with it and has no twin, or it is that of the recording and no longer fits the picture. So
do counts of kinds, the findings of the build's gate, and recipe and seed, by which anybody with the sources builds
the split again.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from cmdfd.publish.records import Problem
from cmdfd.publish.rights_check import Found
from cmdfd.report.text import listing, plural
from cmdfd.tables import LABEL_COLUMNS, LABELS, METADATA, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Columns that stay public in a withheld split and could differ between the classes.
_PUBLIC = ("scene", "platform", "fps", "n_frames", "width", "height", "sample_rate", "n_samples")
#: Sources whose takes are drawn from the seed alone, so that seed and program make them anywhere.
_DRAWN_SOURCES = frozenset({"talkers"})
#: Public ids tell when a seed is the right one, and one graphics card tries all of 32 bits in seconds: about 2 * 10**10
#: SHA-256 a second (hashcat's benchmarks), so that these 2**60 at least take it two years, 62 random bits seven.
MIN_SECRET_SEED = 2**60
#: Draws 62 bits, with one above them that never makes the seed a small one.
_DRAW = 'python -c "import secrets; print(2**62 + secrets.randbits(62))"'
#: As for names; corrected for everything that is tried.
_FALSE_ALARM = 1e-5


def withheld_found(dataset: Dataset) -> Found:
    """Check that nothing that goes public tells the labels of a withheld split."""
    problems: list[Problem] = []
    notes: list[str] = []
    for split in dataset.build.withheld:
        if split not in dataset.splits:
            continue
        clips = dataset.clips(split)
        if not (dataset.folder / split / LABELS).is_file():
            reason = "the labels of this withheld split are not here, so nothing about it can be checked"
            problems.append(Problem("unfinished", f"{split}/{LABELS}", reason, "publish from the folder of the build"))
            continue
        problems += _table(dataset.folder, split)
        problems += _telling_columns(split, clips)
        notes += _twins(dataset, split, clips)
    if dataset.build.withheld:
        found = _seed(dataset)
        problems += found.problems
        notes += found.notes
    return Found(tuple(problems), tuple(notes))


def _table(folder: Path, split: str) -> list[Problem]:
    where = f"{split}/{METADATA}"
    rows = read_table(folder / where)
    filled = [name for name in LABEL_COLUMNS if any(row.get(name) is not None for row in rows)]
    if not filled:
        return []
    ids = [str(row["id"]) for row in rows if any(row.get(name) is not None for name in filled)]
    reason = f"{plural(len(filled), 'column')} ({listing(filled, 3)}) tell of {plural(len(ids), 'clip')}, e.g. {ids[0]}"
    fix = f"build again with `withheld: [{split}]`, which leaves these cells empty and keeps them in {split}/{LABELS}"
    return [Problem("withheld_label", where, reason, fix)]


def _telling_columns(split: str, clips: Sequence[Clip]) -> list[Problem]:
    """Public columns whose values go with the class; the audit tests components, this the plain table."""
    from scipy.stats import hypergeom

    known = [clip for clip in clips if clip.labels.label is not None]
    n_fake = sum(clip.labels.label == 1 for clip in known)
    counts: dict[tuple[str, Any], Counter[bool]] = defaultdict(Counter)
    for clip in known:
        for name in (*_PUBLIC, "original"):
            value = bool(clip.original) if name == "original" else getattr(clip, name)
            counts[name, value][clip.labels.label == 1] += 1
    problems: dict[str, Problem] = {}
    for (name, value), seen in counts.items():
        law = hypergeom(len(known), n_fake, seen.total())
        p = min(1.0, 2 * min(float(law.cdf(seen[True])), float(law.sf(seen[True] - 1))))
        if p * len(counts) < _FALSE_ALARM and name not in problems:
            reason = f"{name} {value!r} has {seen[True]} fakes and {seen[False]} reals, so that it tells the label"
            fix = "build again so that every class has it alike (harmonise, scenes, social of the recipe)"
            problems[name] = Problem("withheld_label", f"{split}/{METADATA}", reason, fix)
    return list(problems.values())


def _twins(dataset: Dataset, split: str, clips: Sequence[Clip]) -> list[str]:
    """Clips that share a stream packet for packet: visible twins, which only another build can part."""
    import av

    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for clip in clips:
        try:
            for what, digest in packets_of(dataset.path_of(clip)).items():
                groups[what, digest].add(clip.id)
        except (av.error.FFmpegError, OSError):
            continue  # a file that cannot be read is told by the audit
    notes = []
    for what in ("video", "audio"):
        shared = {one for (stream, _), ids in groups.items() if stream == what and len(ids) > 1 for one in ids}
        if shared:
            own = Counter(clip.labels.label == 1 for clip in clips if clip.id not in shared)
            notes.append(
                f"{split}: {plural(len(shared), 'clip')} have the same {what} packets as another clip of the split: "
                f"whoever compares files sees which clips are twins, and what was changed (of the clips that share "
                f"none {own[True]} are fake and {own[False]} real); this cannot be mended without other encodings"
            )
    return notes


def packets_of(path: Path) -> Mapping[str, str]:
    """Hash of the packets of the first picture and the first sound stream of a file, by "video" and "audio"."""
    import av

    found: dict[str, str] = {}
    with av.open(str(path)) as container:
        streams = {"video": container.streams.video[:1], "audio": container.streams.audio[:1]}
        digests = {stream.index: (what, hashlib.sha256()) for what, some in streams.items() for stream in some}
        for packet in container.demux([stream for some in streams.values() for stream in some]):
            if packet.size:
                digests[packet.stream.index][1].update(bytes(packet))
        found = {what: digest.hexdigest() for what, digest in digests.values()}
    return found


def _seed(dataset: Dataset) -> Found:
    recipe = dataset.build.recipe
    source, seed = recipe.get("source"), recipe.get("seed")
    kind = source.get("kind") if isinstance(source, dict) else None
    if not isinstance(seed, int):
        return Found()
    splits = ", ".join(dataset.build.withheld)
    if kind in _DRAWN_SOURCES and seed < MIN_SECRET_SEED:
        reason = f"seed {seed} can be guessed: {kind} and this program then build {splits} again, labels and all"
        fix = f"put a secret `seed` of at least {MIN_SECRET_SEED} in the recipe, drawn by {_DRAW}, and build again"
        return Found((Problem("withheld_label", "build.json: recipe.seed", reason, fix),))
    note = (
        f"whoever guesses recipe and seed and has the sources builds {splits} again: keep both secret, and draw the "
        f"seed by {_DRAW}; its 62 bits take one graphics card years"
    )
    return Found((), (note,))
