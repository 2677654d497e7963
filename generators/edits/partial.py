"""Short forged stretches in a genuine recording: words replaced, inserted or deleted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError, MediaError, job_code
from generators.edits.params import PartialParams
from generators.edits.picture import NULL_SHIFT, Edited, PictureEditor, lent_openings, order, own_openings
from generators.edits.plan import Plan, Planner
from generators.edits.sound import join, joints_of, lent_pieces, room_tone, soften
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.registry import make_generator, resolve_params
from generators.video.drive import driven_opening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from generators.audio.dsp import Signal
    from generators.edits.edit_list import EditList

_CUES = (
    "every joint of the sound dips to the room tone for some milliseconds (in null edits, too)",
    "cuts lie at word gaps",
    "room echo of another recording, its noise taken down band by band where it is louder",
    "picture: resampled lower face, an inserted stretch goes back and forth, a jump where something was deleted",
)
_PARAMS: Mapping[str, Any] = {
    "ops": ("replace",), "modality": "audio", "count": 1, "seconds": (0.3, 0.9), "crossfade": 0.012,
    "replacement": "donor", "picture": "mouth", "dissolve": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A job with its parameters read and its edits planned."""

    job: Job
    params: PartialParams
    donor: Take | None
    plan: Plan


class PartialEdit:
    """Edit words of a take; the new ones are spoken by a donor, or by the reserved synthetic voice.

    All edits lie inside the written clip and are cut at word gaps. Behind an insertion sound and picture come later,
    behind a deletion earlier, both by the same whole number of pictures, so that they stay together; the take must
    go on far enough behind the clip for what is pulled forward. Outside its edits the outcome is the take, sample by
    sample and pixel by pixel, moved along the time map.

    Segments are given for each stream in output time: the new stretch; for a deletion, which has no length, one
    picture to either side of the cut. Labels: `sync_mismatch` is 1 where one stream alone got other words.
    `sham` makes the same cuts and joints with the take's own content in the old place.
    """

    spec = GeneratorSpec(
        name="edit/partial",
        family="edit",
        summary="words replaced, inserted or deleted; new ones come from a donor",
        modalities=("audio", "video"),
        needs_donor=True,
        needs_speech=True,
        known_cues=_CUES,
        params=_PARAMS,
        cost=0.035,
        margin=1.8,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("frames", "audio", "track")

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "input_unsupported" where words are unknown or no edit finds room, "audio_invalid" where a
                recording is silent, "face_not_found" where lips shall move and there is no face track.
        """
        work = self._work(job)
        edits, params, take = work.plan.edits, work.params, job.take
        audio, speaker = take.audio, None
        if params.sound:
            tone = room_tone(take.audio, job.rng)
            pieces, speaker = self._pieces(work, tone)
            audio = join(take.audio, take.sample_rate, edits, pieces, tone)
            audio = soften(audio, joints_of(edits, take.sample_rate), self._fade(work), tone)
        seen = self._picture(work, audio) if params.sight else None
        frames, track, masks = (seen.frames, seen.track, seen.masks) if seen else (take.frames, take.track, None)
        if masks is not None and not masks.any():
            masks = None
        return Outcome(
            Take(frames, take.fps, audio, take.sample_rate, track, None),
            self._labels(work),
            _segments(edits, seen, params, take.fps),
            masks=masks,
            variant="+".join(dict.fromkeys(edit.op for edit in edits.edits)),
            details=self._details(work, speaker),
        )

    def sham(self, job: Job) -> Outcome:
        """Make a null edit: joints, level and picture as in `generate`, but every stretch is replaced by itself.

        Further than half a cross-fade from a joint the sound is the take's. New pictures are the take's own ones in
        their places, their lips drawn by the same warp a third of a pixel from where they are.
        """
        work = self._work(job)
        params, take = work.params, job.take
        stretches = _null_stretches(work.plan)
        audio = take.audio
        if params.sound:
            joints = sorted({round(time * take.sample_rate) for one in stretches for time in one})
            audio = soften(take.audio, joints, self._fade(work), room_tone(take.audio, job.rng))
        frames = take.frames
        if params.sight and params.picture == "mouth":
            frames = self._null_picture(work)
        details = {"null_edit_list": work.plan.edits.to_json(), "null_stretches": [list(one) for one in stretches]}
        return Outcome(replace(take, audio=audio, frames=frames), REAL, (), details=details)

    def lender(self, job: Job, params: PartialParams) -> tuple[Take | None, bool]:
        """Whose words are lent, and whether that is the take itself."""
        if not params.lends:
            return None, False
        if job.donor is None:
            detail = "there is no other take of this person and no partner; use edit/own for words of the take itself"
            raise JobError("input_unsupported", self.spec.name, detail)
        return job.donor, job.donor is job.take or job.relation == "self"

    def _work(self, job: Job) -> _Work:
        params = PartialParams.read(job.params, self.spec.name)
        donor, own = self.lender(job, params)
        if donor is not None and params.sight and params.picture == "donor":
            self._check_pictures(job, donor)
        plan = Planner(job, params, donor, own, self.spec.name).plan()
        return _Work(job, params, donor, plan)

    def _check_pictures(self, job: Job, donor: Take) -> None:
        if job.relation == "partner":
            detail = "pictures of another person are no partial edit; say picture: mouth, or driver: self or same"
            raise JobError("input_unsupported", self.spec.name, detail)
        if donor.fps != job.take.fps or donor.frames.shape[1:] != job.take.frames.shape[1:]:
            detail = f"the donor's pictures {donor.frames.shape[1:]} are not of the take's size or rate"
            raise JobError("input_unsupported", self.spec.name, detail)

    def _fade(self, work: _Work) -> int:
        return round(work.params.crossfade * work.job.take.sample_rate)

    def _pieces(self, work: _Work, tone: Signal) -> tuple[list[Signal], str | None]:
        """New sound of every edit, and the id of a synthetic voice that speaks it."""
        take, planned = work.job.take, work.plan.planned
        speaker, donor = None, work.donor
        if work.params.replacement == "voice" and any(one.change.op == "replace" for one in planned):
            spoken = self._other_voice(work.job)
            speaker, donor = spoken.voice_id, spoken.take
        if donor is None:
            return [np.zeros(0, np.float32) for _ in planned], speaker
        # the other voice says the same words at the same times
        places = [
            (one.change.source_start if one.lent_start is None else one.lent_start, one.change.seconds)
            for one in planned
        ]
        return lent_pieces(donor.audio, donor.sample_rate, places, take.audio, take.sample_rate, tone), speaker

    def _other_voice(self, job: Job) -> Outcome:
        sounds = job.take.speech is not None and any(phone.label for phone in job.take.speech.phones)
        aligned = resolve_params("audio/revoice", {"align": "phonemes" if sounds else "words"})
        revoice = replace(job, params=aligned)
        try:
            return make_generator("audio/revoice").generate(revoice)
        except (MediaError, JobError) as error:
            raise JobError(job_code(error.code), self.spec.name, error.detail) from error

    def _picture(self, work: _Work, audio: Signal) -> Edited:
        take, params, plan = work.job.take, work.params, work.plan
        from_donor = params.picture == "donor"
        starts = [one.lent_start for one in plan.planned]
        layout = order(plan.edits, len(take.frames), take.fps, starts if from_donor else None)
        editor = PictureEditor(take, work.donor, layout, self.spec.name)
        if layout.stretches and not from_donor:
            own = own_openings(take, self.spec.name)
            editor.move_lips(self._openings(work, own, layout.index, audio))
        if params.dissolve:
            editor.dissolve(params.dissolve)
        return editor.finish()

    def _openings(
        self, work: _Work, own: NDArray[np.float64], index: NDArray[np.int64], audio: Signal
    ) -> NDArray[np.float64]:
        """Wanted mouth opening in every picture of the output: those of the new words."""
        take, donor = work.job.take, work.donor
        if donor is None or donor.track is None:
            return driven_opening(audio, take.sample_rate, take.fps, own[index])
        wanted = own[index]
        for one, edit in zip(work.plan.planned, work.plan.edits.edits, strict=True):
            if one.lent_start is None:
                continue
            first, last = np.searchsorted(np.arange(len(index)) / take.fps, [edit.start - 0.5 / take.fps, edit.end])
            times = one.lent_start + np.arange(first, last) / take.fps - edit.start
            wanted[first:last] = lent_openings(own, donor.track, times)
        return wanted

    def _null_picture(self, work: _Work) -> NDArray[np.uint8]:
        take = work.job.take
        own = own_openings(take, self.spec.name)
        null = _null_edits(work.plan)
        editor = PictureEditor(take, None, order(null, len(take.frames), take.fps, None), self.spec.name)
        editor.move_lips(own + NULL_SHIFT)
        return editor.frames

    def _labels(self, work: _Work) -> Labels:
        params = work.params
        lent = any(one.lent_start is not None for one in work.plan.planned)
        voice = params.replacement == "voice" and any(one.change.op == "replace" for one in work.plan.planned)
        sync = int(params.modality != "both" and not voice)
        identity: int | None = int(voice)
        if lent and params.sound and self.spec.needs_donor:
            identity = None  # the build knows who the donor is
        return Labels(1, int(params.sound), int(params.sight), sync, identity)

    def _details(self, work: _Work, speaker: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {"edit_list": work.plan.edits.to_json()}
        lent = [
            None if one.lent_start is None else [one.lent_start, one.lent_start + one.change.seconds]
            for one in work.plan.planned
        ]
        if any(lent):
            found["lent"] = lent
        if speaker is not None:
            found["voice"] = speaker
        return found


class OwnEdit(PartialEdit):
    """`PartialEdit` without a donor: words of the take itself, another voice for the same words, or deletions."""

    spec = GeneratorSpec(
        name="edit/own",
        family="edit",
        summary="words replaced, inserted or deleted; new ones come from the take itself or a synthetic voice",
        modalities=("audio", "video"),
        needs_speech=True,
        known_cues=_CUES,
        params=_PARAMS,
        cost=0.035,
        margin=1.8,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ()

    def lender(self, job: Job, params: PartialParams) -> tuple[Take | None, bool]:
        """The take itself."""
        return (job.take, True) if params.lends else (None, False)


def _segments(edits: EditList, seen: Edited | None, params: PartialParams, fps: float) -> tuple[Segment, ...]:
    """Edited stretches of each stream; the picture's lie on its own borders."""
    found = []
    if params.sound:
        found += [Segment(one.start, one.end, Modality.AUDIO) for one in edits.segments()]
    if seen is not None:
        shown = iter(seen.stretches)
        for edit, segment in zip(edits.edits, edits.segments(), strict=True):
            if edit.op == "delete":
                found.append(Segment(segment.start, segment.end, Modality.VIDEO))
            elif stretch := next(shown):
                found.append(Segment(stretch.first / fps, stretch.end / fps, Modality.VIDEO))
    return tuple(sorted(found, key=lambda one: (one.start, one.modality)))


def _null_stretches(plan: Plan) -> list[tuple[float, float]]:
    """Stretches of the take that a null edit replaces by themselves; one without length for a deletion's one joint."""
    found = []
    for one in plan.planned:
        change = one.change
        length = 0.0 if change.op == "delete" else change.seconds
        found.append((change.source_start, change.source_start + length))
    return found


def _null_edits(plan: Plan) -> EditList:
    from generators.edits.edit_list import Change, EditList

    changes = [
        Change("replace", start, end, end - start, "", "", Modality.VIDEO)
        for start, end in _null_stretches(plan)
        if end > start
    ]
    return EditList.lay_out(plan.edits.source_seconds, changes, plan.edits.tolerance)
