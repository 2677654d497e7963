"""What one class lacks: sound, picture, readable files, clips at all. A detector need not ask for more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.check import Check
from cmdfd.audit.setcues.columns import NOBODY
from cmdfd.audit.setcues.cues import component_codes
from cmdfd.audit.setcues.grading import WIDE, by_class, by_share
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.setcues.columns import Rows
    from cmdfd.audit.severity import Severity

#: Fisher's exact p below which a difference of shares is no accident of a small set.
_SHOWN = 0.01
_STREAMS = "take clips with both streams in both classes, or judge the classes on the stream that all clips have"
_FILES = "fetch or make the broken files anew, or leave out their counterparts of the other class, too"
_SHAPE = "audit a set that holds both classes, of several people"
_STREAM_FACTS = {
    "sound": ("a", "time.audio_duration", "whether there is sound"),
    "picture": ("v", "time.video_duration", "whether there is a picture"),
}


def missing_checks(rows: Rows) -> list[Check]:
    """Streams and files that are missing, by class."""
    found = [_stream(rows, "sound"), _stream(rows, "picture"), _unreadable(rows)]
    return [one for one in found if one is not None]


def fisher(chosen: NDArray[np.bool_], labels: NDArray[np.int8]) -> float:
    """Fisher's exact two-sided p that a property is as frequent among fakes as among reals; 1 without both classes."""
    from scipy.stats import fisher_exact

    counts = [[int((chosen & (labels == c)).sum()), int((~chosen & (labels == c)).sum())] for c in (0, 1)]
    if not all(sum(one) for one in counts):
        return 1.0
    return float(fisher_exact(counts).pvalue)


def readable(rows: Rows) -> NDArray[np.bool_]:
    """[n] whether the file of a clip, if one was looked for, could be read."""
    known = rows.text("path") != ""
    if "container.streams" not in rows.table.columns:
        return np.ones(rows.n, bool)
    return np.asarray(~known | (rows.text("container.streams") != ""), dtype=bool)


def _stream(rows: Rows, what: str) -> Check | None:
    letter, duration, question = _STREAM_FACTS[what]
    streams = rows.text("container.streams")
    looked = streams != ""
    if looked.any():
        lacks = np.array([letter not in one for one in streams]) & looked
    elif rows.has(duration) and not rows.clips.empty:
        other = "time.video_duration" if what == "sound" else "time.audio_duration"
        looked = np.isfinite(rows.number(duration)) | np.isfinite(rows.number(other))
        lacks = looked & ~np.isfinite(rows.number(duration))
    else:
        return None
    if not lacks.any():
        return None
    labels = np.where(looked, rows.flag("label"), NOBODY)
    return Check(
        f"missing.{what}",
        _stream_severity(lacks, labels),
        _stream_sentence(what, question, lacks[looked], labels[looked]),
        int(lacks.sum()),
        rows.names(lacks),
        _STREAMS,
    )


def _shares(chosen: NDArray[np.bool_], labels: NDArray[np.int8]) -> tuple[float, float] | None:
    if not ((labels == 0).any() and (labels == 1).any()):
        return None
    return float(chosen[labels == 0].mean()), float(chosen[labels == 1].mean())


def _stream_severity(lacks: NDArray[np.bool_], labels: NDArray[np.int8]) -> Severity:
    shares = _shares(lacks, labels)
    if shares is None or shares[0] == shares[1]:
        return "none"
    gap, sure = abs(shares[0] - shares[1]), fisher(lacks, labels) < _SHOWN
    if gap == 1:
        return "critical" if sure else "high"
    return by_share(gap) if sure else "low"


def _stream_sentence(what: str, question: str, lacks: NDArray[np.bool_], labels: NDArray[np.int8]) -> str:
    article = "no sound" if what == "sound" else "no picture"
    if lacks.all():
        return f"None of the {plural(len(lacks), 'clip')} has {'sound' if what == 'sound' else 'a picture'}."
    shares = _shares(lacks, labels)
    if shares is None:
        return f"{plural(int(lacks.sum()), 'clip')} of {len(lacks):,} {_have(int(lacks.sum()))} {article}."
    more = 0 if shares[0] >= shares[1] else 1
    words = ("reals", "fakes")
    counts = [(int(lacks[labels == c].sum()), int((labels == c).sum())) for c in (0, 1)]
    (few, total), (others, of) = counts[more], counts[1 - more]
    first = f"All {total:,} {words[more]} have {article}" if few == total else (
        f"{few:,} of {total:,} {words[more]} {_have(few)} {article}"
    )  # fmt: skip
    text = f"{first}; of the {words[1 - more]} {others:,} of {of:,} {'lacks' if others == 1 else 'lack'} it."
    if abs(shares[0] - shares[1]) == 1:
        return f"{text} A detector needs only ask {question}."
    if abs(shares[0] - shares[1]) >= WIDE:
        return f"{text} A detector gains by asking {question}."
    return text


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _unreadable(rows: Rows) -> Check | None:
    broken = ~readable(rows)
    if not broken.any():
        return None
    labels = rows.flag("label")
    p, shares = fisher(broken, labels), _shares(broken, labels)
    gap = abs(shares[0] - shares[1]) if shares else 0.0
    severity: Severity = by_share(gap) if p < _SHOWN else "low"
    sentence = f"{by_class(broken, labels)} could not be read"
    if shares is not None:
        sentence += f" (Fisher's exact p = {p:.3g})"
    if p < _SHOWN:
        sentence += ": what is left out differs by class"
    return Check("missing.unreadable", severity, f"{sentence}.", int(broken.sum()), rows.names(broken), _FILES)


def shape_checks(rows: Rows) -> list[Check]:
    """Sets that cannot be judged at all, said plainly. They are no leak: the audit is "not testable", not "failed"."""
    labels = rows.flag("label")
    if rows.n == 0:
        return [Check("set.empty", "none", "The set has no clips: there is nothing to audit.", 0, (), _SHAPE)]
    found = []
    n_real, n_fake, unknown = (int((labels == c).sum()) for c in (0, 1, NOBODY))
    if not n_real and not n_fake:
        found.append(
            ("unlabelled", f"None of the {plural(rows.n, 'clip')} has a label: classes cannot be compared.", rows.n)
        )
    elif not n_real or not n_fake:
        word, other = ("real", "fakes") if not n_real else ("fake", "reals")
        text = f"There is no {word} clip beside the {max(n_real, n_fake):,} {other}: classes cannot be compared."
        found.append(("one_class", text, max(n_real, n_fake)))
    elif min(n_real, n_fake) == 1:
        word = "real" if n_real == 1 else "fake"
        found.append(("single_clip", f"There is one {word} clip only: nothing can be said about its class.", 1))
    if unknown and (n_real or n_fake):
        found.append(
            ("unlabelled", f"{plural(unknown, 'clip')} of {rows.n:,} {_have(unknown)} no label; left out.", unknown)
        )
    if rows.n > 1 and len(np.unique(component_codes(rows))) == 1:
        text = (
            f"All {rows.n:,} clips hang together by shared faces, voices or sources: one component, so that chance "
            "cannot be told from a difference."
        )
        found.append(("one_component", text, rows.n))
    return [Check(f"set.{name}", "none", text, n, (), _SHAPE) for name, text, n in found]
