"""Labels that cannot all be true: segments where nothing is forged, two labels for one file, counts that do not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.check import Check
from cmdfd.audit.setcues.columns import NOBODY, cells, members_of
from cmdfd.audit.setcues.grading import WIDE, by_class, by_share, share_of_class
from cmdfd.clip import Modality
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.setcues.columns import Rows
    from cmdfd.audit.severity import Severity

#: Seconds that a segment may reach beyond the clip: one frame at 10 per second, or two of AAC at 16 kHz.
TOLERANCE = 0.1
#: In a group of fakes in which this share has segments, one without is odd; a group of whole fakes has none.
_MOSTLY = 0.5
#: Where this share of the names has both labels, a name does not stand for one clip.
_NAMES_NOTHING = 0.2
_LABELS = "correct the labels at their source; a detector cannot be judged against labels that contradict each other"
_COUNTS = "take lengths from the decoded files, and give no lengths with the labels"
#: Declared counts and what is decoded.
_DECLARED = {"n_frames": "time.n_frames", "n_samples": "time.n_samples"}
#: Further names for the sound of a clip whose picture has a file of its own.
_SOUND_FILES = ("audio_file", "audio_path", "sound_file")


def label_checks(rows: Rows) -> list[Check]:
    """Contradictions among labels, segments and counts."""
    found = [_two_labels(rows), *_streams(rows), *_segments(rows), *_counts(rows)]
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Every forged stretch of a set.

    Args:
        rows: [m] row.
        starts: [m] seconds, NaN where it is no number.
        ends: [m] seconds, likewise.
        audio: [m] whether it says that sound is forged.
        video: [m] whether it says that the picture is.
        any: [n] whether a row has one.
        unread: [n] whether a row has something that is no segment.
    """

    rows: NDArray[np.intp]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    audio: NDArray[np.bool_]
    video: NDArray[np.bool_]
    any: NDArray[np.bool_]
    unread: NDArray[np.bool_]


def read_segments(rows: Rows) -> Segments:
    """Read the column "segments": lists of {start, end, modality}, of pairs, or the same as JSON text."""
    series = rows.column("segments")
    found: list[tuple[int, float, float, str]] = []
    unread = np.zeros(rows.n, bool)
    for row, cell in enumerate(cells(series)):
        members = _members(cell)
        if members is None:
            unread[row] = True
            continue
        for one in members:
            segment = _segment(one)
            if segment is None:
                unread[row] = True
            else:
                found.append((row, *segment))
    own = np.array([one[0] for one in found], dtype=np.intp)
    words = [one[3] for one in found]
    some = np.zeros(rows.n, bool)
    some[own] = True
    return Segments(
        own,
        np.array([one[1] for one in found], dtype=np.float64),
        np.array([one[2] for one in found], dtype=np.float64),
        np.array([word in (Modality.AUDIO, Modality.BOTH) for word in words], dtype=bool),
        np.array([word in (Modality.VIDEO, "visual", Modality.BOTH) for word in words], dtype=bool),
        some,
        unread,
    )


def _members(cell: Any) -> list[Any] | None:
    if isinstance(cell, str):
        if not cell.strip():
            return []
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    if isinstance(cell, Mapping):
        return [cell]
    members = members_of(cell)
    if len(members) == 2 and all(isinstance(one, int | float) for one in members):
        return [members]  # one pair without the outer list
    return members


def _segment(one: Any) -> tuple[float, float, str] | None:
    if isinstance(one, Mapping):
        start, end, word = one.get("start"), one.get("end"), str(one.get("modality") or "")
    elif isinstance(one, list | tuple | np.ndarray) and len(one) >= 2:
        start, end, word = one[0], one[1], str(one[2]) if len(one) > 2 else ""
    else:
        return None
    try:
        return float(start), float(end), word  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _check(rows: Rows, name: str, chosen: NDArray[np.bool_], text: str, widest: Severity = "critical") -> Check | None:
    """A conflict of labels is at least high: what is scored against it is wrong."""
    if not chosen.any():
        return None
    share = share_of_class(chosen, rows.flag("label"))
    severity: Severity = widest if share >= WIDE else "high" if widest == "critical" else by_share(share, widest)
    return Check(f"label.{name}", severity, text, int(chosen.sum()), rows.names(chosen), _LABELS)


def _two_labels(rows: Rows) -> Check | None:
    """One file with both labels; where many names have both, they are no names of single clips (00001.mp4)."""
    files, labels, told = _file_codes(rows), rows.flag("label"), rows.flag("conflict") == 1
    known = (files >= 0) & (labels >= 0)
    size = int(files.max(initial=-1)) + 1
    real = np.bincount(files[known & (labels == 0)], minlength=size) > 0
    fake = np.bincount(files[known & (labels == 1)], minlength=size) > 0
    both = real & fake
    both[files[told & (files >= 0)]] = True
    if not both.any():
        return None
    chosen = (known | told) & np.isin(files, np.flatnonzero(both))
    once = np.unique(files[chosen], return_index=True)[1]
    n, examples = int(both.sum()), rows.names(np.flatnonzero(chosen)[once])
    if n > max(1.0, _NAMES_NOTHING * size) and not (rows.text("path") != "").any():
        text = f"{n:,} of {size:,} names stand for real and for fake clips: a name does not say which clip is meant."
        return Check("label.ambiguous_name", "low", text, int(chosen.sum()), examples, _LABELS)
    text = f"{plural(n, 'file')} {'is' if n == 1 else 'are'} listed both as real and as fake."
    severity: Severity = "critical" if n / size >= WIDE else "high"
    return Check("label.conflict", severity, text, int(chosen.sum()), examples, _LABELS)


def _file_codes(rows: Rows) -> NDArray[np.intp]:
    """[n] number of each file: its path where there is media, else its name and that of its sound."""
    files = rows.codes("path" if (rows.text("path") != "").any() else "file")
    sound = next((name for name in _SOUND_FILES if rows.has(name)), None)
    if sound is None:
        return files
    other = rows.codes(sound)
    pairs = files.astype(np.int64) * (int(other.max(initial=0)) + 2) + other + 1
    found = np.full(rows.n, NOBODY, dtype=np.intp)
    found[files >= 0] = np.unique(pairs[files >= 0], return_inverse=True)[1]
    return found


def _streams(rows: Rows) -> list[Check | None]:
    labels, sound, picture = rows.flag("label"), rows.flag("audio_label"), rows.flag("video_label")
    mismatch = (rows.flag("sync_mismatch") == 1) | (rows.flag("identity_mismatch") == 1)
    nothing = (labels == 1) & (sound == 0) & (picture == 0) & ~mismatch
    forged = (labels == 0) & ((sound == 1) | (picture == 1))
    n_fake, n_real = int((labels == 1).sum()), int((labels == 0).sum())
    return [
        _check(rows, "nothing_forged", nothing, (
            f"{int(nothing.sum()):,} of {plural(n_fake, 'fake')} say that neither sound nor picture is forged"
            f"{', nor that they disagree' if rows.has('sync_mismatch') else ''}."
        )),
        _check(rows, "forged_real", forged, (
            f"{int(forged.sum()):,} of {plural(n_real, 'real')} say that their sound or picture is forged."
        )),
    ]  # fmt: skip


def _segments(rows: Rows) -> list[Check | None]:
    if not rows.has("segments"):
        return []
    parts, labels = read_segments(rows), rows.flag("label")

    def rows_with(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        found = np.zeros(rows.n, bool)
        found[parts.rows[chosen]] = True
        return found

    # a genuine stream that was put to a foreign one is forged as a pair: its stretch is right
    paired = (rows.flag("sync_mismatch") == 1) | (rows.flag("identity_mismatch") == 1)
    untouched = parts.audio & (rows.flag("audio_label")[parts.rows] == 0)
    untouched |= parts.video & (rows.flag("video_label")[parts.rows] == 0)
    untouched &= ~paired[parts.rows]
    stream = rows_with(untouched) & (labels != 0)  # a real with segments is told as such
    with np.errstate(invalid="ignore"):
        beyond = rows_with(parts.ends > rows.number("seconds")[parts.rows] + TOLERANCE)
        impossible = rows_with(~((parts.starts >= 0) & (parts.ends > parts.starts))) | parts.unread
    real = (labels == 0) & parts.any
    odd = _without(rows, parts, labels)
    return [
        _check(rows, "unmodified_stream", stream, (
            f"{plural(int(stream.sum()), 'clip')} {_have(stream)} a forged segment in a stream that is labelled "
            "unmodified."
        )),
        _check(rows, "outside_clip", beyond, f"Segments of {by_class(beyond, labels)} end after their clip.", "high"),
        _check(rows, "impossible_segment", impossible, (
            f"{plural(int(impossible.sum()), 'clip')} {_have(impossible)} a segment that ends before it starts, starts "
            "before zero or is not two numbers."
        ), "high"),
        _check(rows, "real_with_segment", real, (
            f"{int(real.sum()):,} of {plural(int((labels == 0).sum()), 'real')} {_have(real)} forged segments."
        )),
        _check(rows, "fake_without_segment", odd, (
            f"{int(odd.sum()):,} of {plural(int((labels == 1).sum()), 'fake')} {_have(odd)} no segment, though most "
            "fakes of the same generator have one."
        ), "high"),
    ]  # fmt: skip


def _have(chosen: NDArray[np.bool_]) -> str:
    return "has" if chosen.sum() == 1 else "have"


def _without(rows: Rows, parts: Segments, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Fakes without a segment among generators most of whose fakes have one."""
    groups = rows.codes("generator") + 1
    fake = labels == 1
    total = np.maximum(np.bincount(groups[fake], minlength=int(groups.max(initial=0)) + 1), 1)
    some = np.bincount(groups[fake & parts.any], minlength=len(total))
    return np.asarray(fake & ~parts.any & (some / total > _MOSTLY)[groups], dtype=bool)


def _counts(rows: Rows) -> list[Check]:
    found = []
    labels = rows.flag("label")
    for declared, decoded in _DECLARED.items():
        if declared not in rows.clips.columns or decoded not in rows.table.columns:
            continue
        said, is_ = rows.number(declared), rows.number(decoded)
        both = np.isfinite(said) & np.isfinite(is_)
        if declared == "n_samples" and rows.has("sample_rate") and rows.has("container.sample_rate"):
            both &= rows.number("sample_rate") == rows.number("container.sample_rate")
        differs = both & (said != is_)
        if not differs.any():
            continue
        known = np.where(both, labels, NOBODY)
        shares = [float(differs[known == c].mean()) if (known == c).any() else 0.0 for c in (0, 1)]
        gap = abs(shares[0] - shares[1]) if (known == 0).any() and (known == 1).any() else 0.0
        word = "frames" if declared == "n_frames" else "samples"
        step = float(np.median(np.abs(said - is_)[differs]))
        text = f"The declared number of {word} is not the decoded one in {by_class(differs, known)} (median {step:g})."
        if gap >= WIDE:
            text += " Whether it fits tells the classes apart."
        severity: Severity = by_share(gap) if gap >= WIDE / 5 else "low"
        found.append(Check(f"label.{declared}", severity, text, int(differs.sum()), rows.names(differs), _COUNTS))
    return found
