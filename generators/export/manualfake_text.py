"""What stands beside the folders of an export for ManualFake's readers: manifest, what was left out, a readme."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.media.masks import FORGED_ABOVE
from cmdfd.report.text import clean, plural
from cmdfd.rights import most_restrictive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset
    from generators.export.manualfake import ManualfakeOptions

#: Version of the layout; another one is never mixed with it.
FORMAT = 2
COLUMNS = (
    "name", "set", "label", "audio_label", "video_label", "sync_mismatch", "identity_mismatch", "kind", "variant",
    "scene", "platform", "clip", "component", "video", "mask", "segments", "width", "height", "fps", "n_frames",
    "licence", "consent", "pristine", "sha256",
    "mask_sha256",
)  # fmt: skip
_LABELS = ("label", "audio_label", "video_label", "sync_mismatch", "identity_mismatch")


@dataclass(frozen=True, slots=True)
class Exported:
    """One clip of an export.

    Args:
        clip: As the set has it.
        name: `<clip>__<platform>`.
        set: "train", "val" or "test".
        video: Its file, relative to the export.
        mask: Its mask's file, or None without one.
    """

    clip: Clip
    name: str
    set: str
    video: str
    mask: str | None

    @property
    def fake(self) -> bool:
        """Whether it is one."""
        return self.clip.labels.label == 1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that was not exported, and why."""

    name: str
    set: str
    kind: str
    reason: str


def claim_text(dataset: Dataset, options: ManualfakeOptions) -> str:
    """What an export is of: the set's tables and hashes, and the options that decide its files."""
    chosen = {name: value for name, value in asdict(options).items() if name != "overwrite"}
    told = {"format": FORMAT, "set": dataset.name, "manifest_sha256": dataset.manifest_sha256, "options": chosen}
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def manifest_csv(entries: Sequence[Exported], masks: Mapping[str, str]) -> str:
    """One row for each video; unknown labels are empty, times are seconds from the first frame.

    Args:
        entries: What was exported.
        masks: SHA-256 of every mask, by its place.
    """
    return _csv(COLUMNS, [_row(entry, masks.get(entry.mask or "", "")) for entry in entries])


def _row(entry: Exported, mask_sha256: str) -> dict[str, Any]:
    clip = entry.clip
    segments = [{"start": one.start, "end": one.end, "modality": str(one.modality)} for one in clip.segments]
    labels = {name: getattr(clip.labels, name) for name in _LABELS}
    return {
        "name": entry.name,
        "set": entry.set,
        **{name: "" if value is None else value for name, value in labels.items()},
        "kind": clip.kind,
        "variant": clip.variant,
        "scene": clip.scene,
        "platform": clip.platform,
        "clip": clip.original or clip.id,
        "component": clip.component,
        "video": entry.video,
        "mask": entry.mask or "",
        "segments": json.dumps(segments),
        "width": clip.width,
        "height": clip.height,
        "fps": clip.fps,
        "n_frames": clip.n_frames,
        "licence": clip.rights.licence,
        "consent": clip.rights.consent,
        "pristine": str(clip.rights.pristine).lower(),
        "sha256": clip.sha256,
        "mask_sha256": mask_sha256,
    }


def left_out_csv(left_out: Sequence[LeftOut]) -> str:
    """One row for each clip that is not there."""
    return _csv(("name", "set", "kind", "reason"), [asdict(one) for one in left_out])


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def readme(dataset: Dataset, entries: Sequence[Exported], left_out: Sequence[LeftOut], withheld: Sequence[str]) -> str:
    """What the folders hold, how masks are read, and what may be done with them."""
    counts = Counter((entry.set, "fake" if entry.fake else "real") for entry in entries)
    clips = len({entry.clip.original or entry.clip.id for entry in entries})
    platforms = sorted({entry.clip.platform for entry in entries} - {""})
    rights = most_restrictive([entry.clip.rights for entry in entries])
    licences = Counter((entry.clip.rights.licence, entry.clip.rights.consent) for entry in entries)
    sent = f", each as it is and as {', '.join(map(clean, platforms))} leave it" if platforms else ""
    lines = [
        f"{clean(dataset.name)}, in the layout of ManualFake",
        "",
        f"{plural(len(entries), 'video')} of {plural(clips, 'clip')}{sent}.",
        *(f"  data/{name}/{label}/videos  {number}" for (name, label), number in sorted(counts.items())),
        "",
        "A video <clip>__<platform>.mp4 has its mask under the same name in fake/masks. All versions of a clip are in",
        "one set. Masks are lossless grey, with the frames and the time stamps of their video: pair them by time. A",
        f"pixel is forged where its mask is above {FORGED_ABOVE} of 255; edges are soft.",
        "manifest.csv lists every video with labels (1 = fake), segments in seconds, the component (clips that share a",
        "face, a voice or a recording: split and resample by it) and rights.",
        "These forgeries were made by this project's generators, not by ManualFake's authors, and the platforms are",
        "emulated by transcoding.",
        "",
        f"Left out: {plural(len(left_out), 'clip')} (left_out.csv)"
        + (f"; and all of {', '.join(withheld)}, whose labels are withheld." if withheld else "."),
        "",
        f"Licence of the whole, the most restrictive of its parts: {clean(rights.licence or 'unknown')}.",
        f"Consent of the people shown, the least of them: {clean(rights.consent or 'unknown')}.",
        *(
            f"  {plural(number, 'video')}: licence {clean(licence or 'unknown')}, consent {clean(consent or 'unknown')}"
            for (licence, consent), number in sorted(licences.items())
        ),
        "Every clip in fake/videos is forged: show none of them without saying so, and use them to study detection.",
    ]
    return "\n".join(lines) + "\n"
