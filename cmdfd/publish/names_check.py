"""Names that go public must tell nothing: file names stay listable even in gated repositories."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cmdfd.audit.setcues.tokens import looks_random
from cmdfd.audit.targets.vocabulary import FAKE_WORDS, METHODS, NOT_IN_PATHS, REAL_WORDS
from cmdfd.clip import REAL_KIND
from cmdfd.publish.records import Problem
from cmdfd.publish.rights_check import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Ids become file names, keys of tar members and row keys: no dot, blank or sign that a shell or a tar reader minds.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PIECE = re.compile(r"[^\W_]+")
_CLASS_WORDS = ((REAL_WORDS | FAKE_WORDS) - NOT_IN_PATHS) | {"sham", "forge", "label"}
#: Shorter names of people and recordings occur in drawn ids by chance; they count as whole words only.
_MIN_INSIDE = 6
#: Chance that names drawn without regard to the class are refused (before the correction for the number of signs).
_FALSE_ALARM = 1e-5
_FIX = "give clips drawn ids (cmdfd.clip.content_id) and build again; a name must not be mended after the audit"


def names_found(dataset: Dataset) -> Found:
    """Check ids and paths of every clip: no word of the class, kind, generator, person or recording; no pattern."""
    problems: list[Problem] = []
    kinds = _words({word for clip in dataset.rows for word in (clip.kind, clip.generator, clip.variant)} - {REAL_KIND})
    for clip in dataset.rows:
        problems += _of_clip(clip, kinds)
    problems += _pattern(dataset.rows)
    return Found(tuple(problems))


def _words(names: set[str]) -> frozenset[str]:
    """Words of kinds and generators; single letters and numbers mean nothing by themselves."""
    return frozenset(
        word for name in names for word in _PIECE.findall(name.lower()) if len(word) > 2 and not word.isdigit()
    )


def _of_clip(clip: Clip, kinds: frozenset[str]) -> Iterator[Problem]:
    if not _ID.fullmatch(clip.id):
        reason = f"id {clip.id!r} holds signs other than letters, digits, - and _, or more than 64"
        yield Problem("leaking_name", clip.file, reason, _FIX)
    for name in (clip.file, clip.mask, clip.tracks):
        if name is None:
            continue
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            yield Problem("changed_file", name, "the path leaves the set's folder", "build the set again")
        if path.stem != clip.id:
            yield Problem("leaking_name", name, f"the file is not called by its id {clip.id!r}", _FIX)
        if told := _telling(name, clip, kinds):
            yield Problem("leaking_name", name, told, _FIX)


def _telling(name: str, clip: Clip, kinds: frozenset[str]) -> str:
    text = PurePosixPath(name).with_suffix("").as_posix().lower()
    # the set's own folders ("test", "videos", "masks") are the same for all
    segments = [one for one in _PIECE.findall(text) if not looks_random(one)]
    pieces = {piece for one in segments for piece in (one, *re.findall(r"[^\W\d_]+", one))}
    own = {"train", "validation", "test", "videos", "masks", "tracks"}
    if found := sorted((pieces - own) & _CLASS_WORDS):
        return f"the name says {found[0]!r}, a word of the class"
    if found := sorted((pieces - own) & (kinds | METHODS)):
        return f"the name says {found[0]!r}, a word of a kind or generator"
    for what, secret in (
        ("person", clip.face_id),
        ("person", clip.voice_id),
        *(("source", s) for s in clip.source_ids),
    ):
        word = secret.lower()
        if word and (word in segments or (len(word) >= _MIN_INSIDE and word in text)):
            return f"the name holds the {what} {secret!r}"
    return ""


def _pattern(clips: Sequence[Clip]) -> list[Problem]:
    """Whether signs, lengths or the order of ids tell the class or a kind.

    Drawn ids know nothing of the class, so that the number of fakes among the clips with a sign at a place is
    hypergeometric, and their rank sum is that of the rank test; both are corrected for everything that is tried.
    """
    known = [clip for clip in clips if clip.labels.label is not None]
    groups = {"the class": [clip.labels.label == 1 for clip in known]}
    for kind in sorted({clip.kind for clip in known} - {REAL_KIND}):
        groups[f"the kind {kind!r}"] = [clip.kind == kind for clip in known]
    ids = [clip.id for clip in known]
    found = []
    for what, inside in groups.items():
        told, p = _strongest(ids, inside)
        if p * len(groups) < _FALSE_ALARM:
            found.append(Problem("leaking_name", "ids of all clips", f"{told} tells {what} (p = {p:.1g})", _FIX))
    return found


def _strongest(ids: Sequence[str], inside: Sequence[bool]) -> tuple[str, float]:
    """What tells most, and its p, corrected for all that was looked at."""
    import numpy as np
    from scipy.stats import hypergeom, mannwhitneyu

    own = np.asarray(inside, bool)
    if own.all() or not own.any():
        return "", 1.0
    order = np.argsort(np.argsort(np.array(ids)))
    tried = [
        ("the order of the ids", float(mannwhitneyu(order[own], order[~own]).pvalue)),
        ("the length of the ids", _lengths_p([len(one) for one in ids], own)),
    ]
    width = max(map(len, ids))
    signs = np.array([list(one.ljust(width)) for one in ids])
    places = [(place, str(sign)) for place in range(width) for sign in np.unique(signs[:, place])]
    sizes = np.array([(signs[:, place] == sign).sum() for place, sign in places])
    hits = np.array([(own & (signs[:, place] == sign)).sum() for place, sign in places])
    law = hypergeom(len(own), int(own.sum()), sizes)
    ps = np.minimum(1.0, 2 * np.minimum(law.cdf(hits), law.sf(hits - 1)))
    tried += [
        (f"sign {place + 1} of the ids, {sign!r},", float(p)) for (place, sign), p in zip(places, ps, strict=True)
    ]
    told, smallest = min(tried, key=lambda pair: pair[1])
    return told, min(1.0, smallest * len(tried))


def _lengths_p(lengths: Sequence[int], own: object) -> float:
    import numpy as np
    from scipy.stats import mannwhitneyu

    values, chosen = np.asarray(lengths), np.asarray(own, bool)
    if len(set(lengths)) < 2:
        return 1.0
    return float(mannwhitneyu(values[chosen], values[~chosen]).pvalue)
