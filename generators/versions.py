"""Making another version of a finished clip: sent through a chain of social platforms, mask and track along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.clip import Segment, sha256_file
from cmdfd.errors import JobError
from cmdfd.tables import clip_of
from generators.making import MadeClip, side_files
from generators.record import as_text
from generators.rows import file_cues
from generators.stopwatch import ENCODE, MEASURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.clip import Clip
    from generators.bench import Bench
    from generators.social.transmit import Transmitted

#: Stage of a version in the table of cues.
SOCIAL = "social"


def make_version(bench: Bench, clip: Mapping[str, Any], original: Mapping[str, Any], folder: Path) -> MadeClip:
    """Send a finished clip through its chain.

    Args:
        bench: What the clips of its take share.
        clip: The version, as the payload has it.
        original: Record of the finished original.
        folder: Where to write.

    Raises:
        MediaError, JobError: If the transcode fails; nothing is left in `folder`.
    """
    from generators.social.transmit import resolve_chain, transmit

    base = clip_of(original["clip"]["split"], original["clip"])
    chain, out = resolve_chain(clip["chain"]), bench.out
    if chain.address != clip["chain_address"]:
        raise JobError("crashed", clip["platform"], f"the profile {clip['chain']!r} changed while the build ran")
    path = folder / Path(clip["paths"]["file"]).name
    sides = {
        "mask": None if base.mask is None else (out / base.mask, path.with_name(f"{path.name}.mask.mkv")),
        "track": None if base.tracks is None else (out / base.tracks, path.with_name(f"{path.name}.npz")),
    }
    with bench.watch.lap(ENCODE):
        sent = transmit(
            chain,
            out / base.file,
            path,
            mask=sides["mask"][0] if sides["mask"] else None,
            mask_out=sides["mask"][1] if sides["mask"] else None,
            track=sides["track"][0] if sides["track"] else None,
            track_out=sides["track"][1] if sides["track"] else None,
        )
    with bench.watch.lap(MEASURE):
        cues, digest = file_cues(path), sha256_file(path)
    places = {"mask": "mask", "track": "tracks"}
    moves = [(side[1], out / clip["paths"][places[name]]) for name, side in sides.items() if side is not None]
    row = _row(clip, base, sent, digest, side_files(bench, clip, moves))
    told = _provenance(clip, original["provenance"], row, base, sent)
    return MadeClip(row, told, [(SOCIAL, cues)], [*moves, (path, out / row.file)])


def _row(clip: Mapping[str, Any], base: Clip, sent: Transmitted, digest: str, sides: Mapping[str, str | None]) -> Clip:
    end = sent.n_frames / sent.fps
    return replace(
        base,
        id=clip["id"],
        file=clip["paths"]["file"],
        sha256=digest,
        mask=sides["mask"],
        tracks=sides["tracks"],
        mask_sha256=sides["mask_sha256"] or "",
        tracks_sha256=sides["tracks_sha256"] or "",
        segments=tuple(Segment(s.start, min(s.end, end), s.modality) for s in base.segments if s.start < end),
        fps=sent.fps,
        n_frames=sent.n_frames,
        width=sent.width,
        height=sent.height,
        sample_rate=sent.sample_rate,
        n_samples=sent.n_samples,
        platform=clip["platform"],
        original=base.id,
    )


def _provenance(
    clip: Mapping[str, Any], told: Mapping[str, Any], row: Clip, base: Clip, sent: Transmitted
) -> dict[str, Any]:
    parent = {"role": "original", "key": base.id, "sha256": base.sha256, "start": 0.0, "end": row.duration}
    return {
        **told,
        "id": row.id,
        "job": clip["job"],
        "sha256": row.sha256,
        "raw_sha256": None,
        "parents": [*told["parents"], parent],
        "operations": [*told["operations"], f"social:{row.platform}"],
        "details": as_text(sent.details),
    }
