"""Hands out what an editor made of a take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import REAL, Labels, Modality
from cmdfd.errors import JobError
from cmdfd.media.masks import forged
from generators.generator import GeneratorSpec, Job, Outcome
from generators.manual.coding import Coding, recoded

if TYPE_CHECKING:
    from cmdfd.clip import Segment
    from generators.generator import EditedTake

#: A clip must show this much of an edit (seconds): one frame at 25 a second.
_LEAST = 0.04


class ManualEdit:
    """The edited version of a take from the source `manual`: its picture, sound, masks and segments.

    What the clip's window shows decides on the labels: of an edit whose picture and sound were changed at different
    times, a window may show one only. Whether sound and lips, voice and face still belong together nobody can tell
    from the files: these labels are unknown unless the list of edits says them.

    An editor's export is one more generation of coding. `sham` sends the original through one of the same kind, at
    the size and with the damage that were measured where nothing was edited. So let the real clips take that way too:
    `real: {through: [manual/edit]}`; else every detector will find the generation instead of the edit.
    """

    spec = GeneratorSpec(
        name="manual/edit",
        family="manual",
        summary="an edit made by hand in any editor (source: manual)",
        modalities=("audio", "video"),
        known_cues=("the editor's own encoding, if the real clips do not pass the sham",),
        cost=0.01,
    )

    def generate(self, job: Job) -> Outcome:
        """Hand out the edit.

        Raises:
            JobError: "input_unsupported" where the take has none, or it lies outside the clip's window.
        """
        edited = self._edit_of(job)
        shown = [one for one in edited.segments if _overlap(one, job) >= min(_LEAST, one.end - one.start) - 1e-6]
        if not shown:
            spans = ", ".join(f"{one.start:.2f} to {one.end:.2f}" for one in edited.segments)
            raise JobError(
                "input_unsupported",
                self.spec.name,
                f"the edit ({spans} s of the take) lies outside the clip ({job.start:.2f} to "
                f"{job.start + job.seconds:.2f} s); give the source's option `seconds` the recipe's length of a clip",
            )
        seen = any(one.modality is not Modality.AUDIO for one in shown)
        heard = any(one.modality is not Modality.VIDEO for one in shown)
        labels = Labels(
            label=1,
            audio_label=int(heard),
            video_label=int(seen),
            sync_mismatch=edited.details.get("sync_mismatch"),
            identity_mismatch=edited.details.get("identity_mismatch"),
        )
        take = replace(job.take, frames=edited.frames, audio=edited.audio, edited=None)
        masks = edited.masks if seen else None
        if masks is not None and not forged(masks[_rows(job, len(masks))]).any():
            raise JobError("input_unsupported", self.spec.name, "the matte is empty in the clip's window")
        return Outcome(
            take, labels, tuple(shown), masks, str(edited.details.get("operation", "")), details=edited.details
        )

    def sham(self, job: Job) -> Outcome:
        """The original after one more coding of the edit's kind.

        Raises:
            JobError: "input_unsupported" where the take has no edit.
        """
        coding = Coding(**self._edit_of(job).details["coding"])
        return Outcome(replace(recoded(job.take, coding), edited=None), REAL, (), details={"coding": coding.to_dict()})

    def _edit_of(self, job: Job) -> EditedTake:
        if job.take.edited is None:
            detail = "the take has no edited version; this generator is for takes of the source 'manual'"
            raise JobError("input_unsupported", self.spec.name, detail)
        return job.take.edited


def _overlap(segment: Segment, job: Job) -> float:
    return min(segment.end, job.start + job.seconds) - max(segment.start, job.start)


def _rows(job: Job, n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    times = (np.arange(n) + 0.5) / job.take.fps
    return (times > job.start) & (times < job.start + job.seconds)
