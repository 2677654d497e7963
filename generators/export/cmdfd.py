"""`python -m generators.export.cmdfd DIR`: the lists of a set in the form of CMDFD's published ones, and back.

One CSV for each method and split, holding all reals of the split and the fakes of that method, with the twelve columns
of the published lists in their spelling. What the published form leaves open is done so:

- A kind "x/cross" is the method "x", "x/self" is "x_Self", as W2L and W2L_Self are; any other "/" becomes "-".
- Numbers are written as floats ("139.0"), as published; frames, samples and rates are the true ones of the files.
- Labels that are unknown are empty. I and S are inverted: published they mean 1 = match, in a set 1 = mismatch.
- `ID_Name` is that of the take for a real clip and `<method>+<idA>-<idB>` for a fake: idA is whose face is seen, idB
  the take that drives it, the same one where nobody else does. Other signs than letters, digits, "." and "_" become
  "_"; where one name would stand for several clips of a list, "~2", "~3" ... are added.
- Paths are relative to the folder of the list. Without `--wav` the sound is the track of the video file.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
import sys
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.cache import write_atomic
from cmdfd.clip import REAL_KIND, content_id
from cmdfd.dataset import FILES_PER_FOLDER, Dataset
from cmdfd.errors import CmdfdError
from generators.sheets.counting import published
from generators.sheets.origins import is_plain_real, open_splits, origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cmdfd.clip import Clip
    from generators.sheets.origins import Origin

#: As published, the misspelling included.
COLUMNS = (
    "ID_Name", "Audio_Path", "Video_Path", "ENtire_Label", "Audio_Label", "Video_Label", "Identi_Label", "Sync_Label",
    "Frame_Len", "Audio_Len", "FPS", "AudioSamRate",
)  # fmt: skip
_NUMBERS = COLUMNS[3:]


@dataclass(frozen=True, slots=True)
class CmdfdExport:
    """What was written.

    Args:
        files: The lists.
        n_rows: Rows in all of them; reals stand in every list of their split.
        withheld: Splits that were left out, since their labels stay at home.
        n_wav: Sound files.
    """

    files: tuple[Path, ...]
    n_rows: int
    withheld: tuple[str, ...]
    n_wav: int


def export_cmdfd(
    dataset: Dataset, out: Path, *, wav: bool = False, progress: Callable[[int, int], None] | None = None
) -> CmdfdExport:
    """Write `<out>/<method>_<split>.csv` for every method and split whose labels are not withheld.

    Args:
        dataset: A finished set with its provenance.
        out: Folder of the lists; not inside the set, which would no longer be as it was built.
        wav: Write the sound of every clip as 16-bit PCM to `<out>/audio/`.
        progress: Told how many sound files are written, of how many.

    Raises:
        CmdfdError: If the set has no provenance, no fake that may be shown, or two kinds that would be one method.
    """
    if out.resolve().is_relative_to(dataset.folder.resolve()):
        raise CmdfdError(f"{out}: lies inside the set {dataset.folder}; name a folder outside of it")
    splits = open_splits(dataset)
    # versions of social platforms are no rows of CMDFD's lists
    clips = [clip for split in splits for clip in dataset.clips(split) if not clip.platform]
    methods = _methods(clips)
    if not methods:
        hidden = f"; the labels of {', '.join(dataset.build.withheld)} are withheld" if dataset.build.withheld else ""
        raise CmdfdError(f"{dataset.folder}: no fake to export{hidden}")
    names = _Names.of(clips, origins(dataset))
    sounds = _write_sounds(dataset, clips, out, progress or (lambda done, total: None)) if wav else {}
    files, n_rows = [], 0
    for split in splits:
        for kind, method in methods.items():
            shown = [clip for clip in clips if clip.split == split and clip.kind in (REAL_KIND, kind)]
            if all(clip.kind == REAL_KIND for clip in shown):
                continue
            rows = _rows(
                dataset,
                [clip for clip in shown if clip.kind == REAL_KIND] + [clip for clip in shown if clip.kind == kind],
                method,
                names,
                sounds,
                out,
            )
            files.append(out / f"{method}_{split}.csv")
            write_atomic(files[-1], _text(rows).encode())
            n_rows += len(rows)
    hidden_splits = tuple(split for split in dataset.splits if split not in splits)
    return CmdfdExport(tuple(files), n_rows, hidden_splits, len(sounds))


def method_of(kind: str) -> str:
    """Method that a kind is listed as; see the module's text.

    >>> method_of("lip_warp/cross"), method_of("lip_warp/self"), method_of("audio/swap")
    ('lip_warp', 'lip_warp_Self', 'audio-swap')
    """
    if kind.endswith("/cross"):
        kind = kind.removesuffix("/cross")
    elif kind.endswith("/self"):
        kind = kind.removesuffix("/self") + "_Self"
    return kind.replace("/", "-")


def _methods(clips: Iterable[Clip]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in sorted({clip.kind for clip in clips} - {REAL_KIND}):
        method = method_of(kind)
        if method in found.values():
            other = next(name for name, listed in found.items() if listed == method)
            raise CmdfdError(f"the kinds {other!r} and {kind!r} would both be listed as {method!r}; rename one of them")
        found[kind] = method
    return found


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of takes for `ID_Name`, and where clips come from."""

    of_take: Mapping[str, str]
    faces: Mapping[str, str]
    came: Mapping[str, Origin]

    @classmethod
    def of(cls, clips: Sequence[Clip], came: Mapping[str, Origin]) -> _Names:
        faces = {came[clip.id].take: clip.face_id for clip in clips if is_plain_real(clip)}
        takes = {came[clip.id].take for clip in clips} | {came[clip.id].donor for clip in clips} - {""}
        named: dict[str, str] = {}
        for take in sorted(takes):
            face = faces.get(take, "")
            name = _plain(take if not face or take.startswith(face) else f"{face}_{take}")
            named[take] = f"{name}_{content_id(take, length=6)}" if name in named.values() else name
        return cls(named, faces, came)

    def name(self, clip: Clip, method: str) -> str:
        origin = self.came[clip.id]
        target = self.of_take[origin.take]
        if clip.kind == REAL_KIND:
            return target
        donor = self.of_take[origin.donor or origin.take]
        lent = origin.donor and clip.face_id == self.faces.get(origin.donor) != self.faces.get(origin.take)
        face, driver = (donor, target) if lent else (target, donor)
        return f"{method}+{face}-{driver}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]", "_", text)


def _rows(
    dataset: Dataset, clips: Sequence[Clip], method: str, names: _Names, sounds: Mapping[str, Path], out: Path
) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    used: dict[str, int] = {}
    order = sorted(clips, key=lambda c: (c.kind != REAL_KIND, names.name(c, method), not is_plain_real(c), c.id))
    for clip in order:
        name = names.name(clip, method)
        used[name] = used.get(name, 0) + 1
        values: tuple[float | None, ...] = (
            *published(clip.labels), clip.n_frames, clip.n_samples, clip.fps, clip.sample_rate,
        )  # fmt: skip
        texts = ["" if value is None else repr(float(value)) for value in values]
        video = _relative(dataset.path_of(clip), out)
        sound = _relative(sounds[clip.id], out) if clip.id in sounds else video
        full = name if used[name] == 1 else f"{name}~{used[name]}"
        rows.append(dict(zip(COLUMNS, (full, sound, video, *texts), strict=True)))
    return rows


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _text(rows: Sequence[Mapping[str, str]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _write_sounds(
    dataset: Dataset, clips: Sequence[Clip], out: Path, progress: Callable[[int, int], None]
) -> dict[str, Path]:
    """Sound of every clip as a WAV of exactly the listed length: what a decoder pads at the end is cut."""
    from cmdfd.media.decode import read_audio

    found: dict[str, Path] = {}
    for rank, clip in enumerate(sorted(clips, key=lambda one: one.id)):
        samples = read_audio(dataset.path_of(clip), sample_rate=clip.sample_rate).samples[: clip.n_samples]
        samples = np.pad(samples, (0, clip.n_samples - len(samples)))
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(clip.sample_rate)
            file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
        found[clip.id] = out / "audio" / f"{rank // FILES_PER_FOLDER:03d}" / f"{clip.id}.wav"
        write_atomic(found[clip.id], buffer.getvalue())
        progress(rank + 1, len(clips))
    return found


@dataclass(frozen=True, slots=True)
class ListedClip:
    """A row of a list, with labels as they are in this project: 1 = fake or mismatch, None unknown.

    Args:
        name: `ID_Name`.
        method: What stands before "+" in the name; "" for a real clip.
        face: idA, or the name of a real clip.
        sound: idB, or the name of a real clip.
        audio_path: As written.
        video_path: As written.
        label: 1 = fake.
        audio_label: 1 = forged sound.
        video_label: 1 = forged picture.
        identity_mismatch: Inverted `Identi_Label`.
        sync_mismatch: Inverted `Sync_Label`.
        n_frames: Frames.
        n_samples: Samples.
        fps: Frames per second, > 0.
        sample_rate: Samples per second, > 0.
    """

    name: str
    method: str
    face: str
    sound: str
    audio_path: str
    video_path: str
    label: int
    audio_label: int | None
    video_label: int | None
    identity_mismatch: int | None
    sync_mismatch: int | None
    n_frames: int
    n_samples: int
    fps: float
    sample_rate: int


def read_list(path: Path) -> tuple[ListedClip, ...]:
    """Read a list in CMDFD's form. Column names count in any case and order; others are left alone.

    Raises:
        CmdfdError: Naming the file, the line and the field.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CmdfdError(f"{path}: not a list: {error}") from error
    lowered = [{str(key).strip().lower(): value for key, value in row.items()} for row in rows]
    missing = [name for name in COLUMNS if not lowered or name.lower() not in lowered[0]]
    if missing:
        raise CmdfdError(f"{path}: no list in CMDFD's form: no row, or no column {', '.join(missing)}")
    reals = {str(row["id_name"]) for row in lowered if "+" not in str(row["id_name"])}
    return tuple(_listed(row, reals, f"{path}, line {line}") for line, row in enumerate(lowered, start=2))


def _listed(row: Mapping[str, Any], reals: set[str], where: str) -> ListedClip:
    numbers = {name: _number(row[name.lower()], f"{where}, {name}") for name in _NUMBERS}
    labels = {name: _flag(numbers[name], f"{where}, {name}") for name in _NUMBERS[:5]}
    sizes = {name: numbers[name] or 0.0 for name in _NUMBERS[5:]}
    entire = labels["ENtire_Label"]
    if entire is None:
        raise CmdfdError(f"{where}, ENtire_Label: must be 0 or 1, got nothing")
    for name, value in sizes.items():
        if value <= 0:
            raise CmdfdError(f"{where}, {name}: must be above 0, got {row[name.lower()]!r}")
    name = str(row["id_name"])
    method, _, pair = name.rpartition("+")
    face, sound = _pair(pair.partition("~")[0], reals, where) if method else (name.partition("~")[0],) * 2
    identity, sync = (labels[key] for key in ("Identi_Label", "Sync_Label"))
    return ListedClip(
        name=name,
        method=method,
        face=face,
        sound=sound,
        audio_path=str(row["audio_path"]),
        video_path=str(row["video_path"]),
        label=entire,
        audio_label=labels["Audio_Label"],
        video_label=labels["Video_Label"],
        identity_mismatch=None if identity is None else 1 - identity,
        sync_mismatch=None if sync is None else 1 - sync,
        n_frames=round(sizes["Frame_Len"]),
        n_samples=round(sizes["Audio_Len"]),
        fps=sizes["FPS"],
        sample_rate=round(sizes["AudioSamRate"]),
    )


def _number(text: Any, where: str) -> float | None:
    if text is None or not str(text).strip():
        return None
    try:
        value = float(str(text))
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise CmdfdError(f"{where}: must be a number, got {text!r}")
    return value


def _flag(value: float | None, where: str) -> int | None:
    if value not in (0, 1, None):
        raise CmdfdError(f"{where}: must be 0, 1 or empty, got {value!r}")
    return None if value is None else int(value)


def _pair(text: str, reals: set[str], where: str) -> tuple[str, str]:
    """The parts idA and idB; as ids may hold dashes, the one between two known real clips is looked for first."""
    dashes = [place for place, sign in enumerate(text) if sign == "-"]
    if not dashes:
        raise CmdfdError(f"{where}: ID_Name must be <method>+<idA>-<idB> or the name of a real clip, got {text!r}")
    known = [place for place in dashes if text[:place] in reals and text[place + 1 :] in reals]
    place = (known or dashes)[0]
    return text[:place], text[place + 1 :]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 where the set cannot be exported."""
    parser = argparse.ArgumentParser(
        prog="python -m generators.export.cmdfd",
        description="Write lists of a set in the form of CMDFD's published ones.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a finished set")
    parser.add_argument("--out", type=Path, metavar="OUT", help="folder of the lists (default: DIR-cmdfd)")
    parser.add_argument("--wav", action="store_true", help="write the sound of every clip as a WAV file, too")
    named = parser.parse_args(arguments)
    folder = named.folder.resolve()
    out = named.out or folder.with_name(f"{folder.name}-cmdfd")
    try:
        made = export_cmdfd(Dataset.open(named.folder), out, wav=named.wav)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in made.files))
    sys.stdout.write("".join(f"left out, its labels are withheld: {split}\n" for split in made.withheld))
    return 0


if __name__ == "__main__":
    sys.exit(main())
