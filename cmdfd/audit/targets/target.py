"""A set of clips as the auditor sees it: one row for each clip, and what was guessed about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from cmdfd.audit.cue import Cue

TargetKind = Literal["built set", "video folder", "folder pair", "list"]

#: Columns of `Target.clips` that say what a clip is; they are never cues. All but `id` may be missing or null.
#: label and the labels of streams: float, 1 = fake, 0 = real, NaN = unknown; generator = who or what made the fake (""
#: for reals); modality = "audio", "video", "audiovisual"; component = unit of every resampling; file = what path cues
#: look at: every name, path and id of a list, joined by blanks; of a folder, the path without its root and without
#: the folders that say class or generator (they are the label, not a leak of it); segments = tuples of
#: (start, end, stream). Text is never null: "" = unknown. Further columns without a dot are facts, too: `conflict` (the
#: file is listed as real and as fake, so `label` is NaN); of a built set `kind`, `variant`, `scene`, `take` (shared by
#: a fake and its real), and `mask_path` and
#: `tracks_path`, absolute or ""; of several tables `table`; of a list `donor_id`, the second person that a name names.
FACT_COLUMNS = (
    "id", "label", "component", "generator", "split", "modality", "platform", "file", "path", "original",
    "face_id", "voice_id", "source_ids", "audio_label", "video_label", "sync_mismatch", "identity_mismatch", "segments",
    "seconds", "text", "language",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Something to audit.

    Args:
        name: Short name for titles.
        kind: What it is.
        clips: One row a clip: columns of `FACT_COLUMNS` (those known), and cues that the target itself states, whose
            names have a dot ("time.av_gap" of a list, "column.height", "demog.gender"). `path` is the absolute path
            of the media file, "" or missing without media.
        root: Folder that `file` is relative to, or None.
        notes: What was guessed or decided, in plain sentences, for the report ("the column 'label' is the label;
            FAKE = fake").
        unread: (name, reason) of rows or files that could not be taken in.
        extra_cues: Records of the stated cues whose columns the catalogue does not know.
        stages: `stages.parquet` of a built set, else None.
    """

    name: str
    kind: TargetKind
    clips: pd.DataFrame
    root: Path | None = None
    notes: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    extra_cues: dict[str, Cue] = field(default_factory=dict)
    stages: pd.DataFrame | None = None

    @property
    def has_media(self) -> bool:
        """Whether there are files to measure."""
        return "path" in self.clips.columns and bool(self.clips["path"].astype(bool).any())
