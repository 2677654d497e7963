"""Takes with an edit that somebody made by hand: originals, edited files, mattes and edit decision lists."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cmdfd.clip import content_id, sha256_file
from cmdfd.errors import CmdfdError, MediaError, nearest
from generators.manual.edits_csv import FILE_NAME, EditRow, read_edits_csv
from generators.manual.importing import FPS, IMPORT_VERSION, EditFiles, ImportSettings, import_edit
from generators.sources.contract import Refused, SourceItem, SourcePlan
from generators.sources.folder import VIDEO_SUFFIXES
from generators.sources.sources_csv import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cmdfd.faces.backends import FaceBackend
    from generators.generator import Take

#: Packages whose versions change what is made; with faces, those of the backend too.
_PACKAGES = ("av", "numpy", "opencv-python-headless", "scipy")
_FACE_PACKAGES = ("mediapipe", "opencv-contrib-python", "opencv-python")
_ROLES = ("original", "edited", "matte", "edl")


class ManualOptions(BaseModel):
    """The options of a recipe's `manual` source.

    Args:
        folder: Where the files are.
        csv: The list; default `edits.csv` in the folder.
        seconds: Longest take. A longer pair is cut to that around its longest edited stretch; with the recipe's
            `harmonise.seconds` here, every clip shows its edit.
        min_seconds: Shortest take.
        long_edge: Longest side of the picture; smaller originals are not enlarged. The picture keeps its shape.
        width: With `height`: canvas on which the picture is set, letterboxed, for takes of one size.
        height: See `width`.
        strict: Refuse edits with changes outside their matte or outside the segments that are named; without it they
            are added to mask and segments, with a warning in the record.
        max_outside: Share of the pixels outside the matte that may differ beyond codec noise.
        faces: "none" looks for no face; "single" and "largest" as in the `folder` source.
        face_backend: Name in `cmdfd.faces.backends.BACKENDS`; None takes the first that is installed.
        face_model: Model file for backends that need one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    csv: Path | None = None
    seconds: float = Field(default=4.0, ge=0.4, le=30)
    min_seconds: float = Field(default=1.0, ge=0.2, le=30)
    long_edge: int = Field(default=640, ge=64, le=1920, multiple_of=2)
    width: int | None = Field(default=None, ge=64, le=1920, multiple_of=2)
    height: int | None = Field(default=None, ge=64, le=1920, multiple_of=2)
    strict: bool = True
    max_outside: float = Field(default=0.002, ge=0, le=1)
    faces: Literal["none", "single", "largest"] = "none"
    face_backend: str | None = None
    face_model: Path | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_seconds > self.seconds:
            raise ValueError(f"min_seconds {self.min_seconds} is more than seconds {self.seconds}")
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        return self

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> ManualOptions:
        """Check options as a recipe gives them.

        Raises:
            CmdfdError: Names the option and the fix.
        """
        unknown = sorted(set(options) - set(cls.model_fields))
        if unknown:
            raise CmdfdError(f"source manual: unknown option {unknown[0]!r}: {nearest(unknown[0], cls.model_fields)}")
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "options"
            raise CmdfdError(f"source manual: {name}: {first['msg'].removeprefix('Value error, ')}") from error


class _ItemSpec(BaseModel):
    """What `materialise` reads from an item; the plan may have been a file in between."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: dict[str, Any]
    sha256: dict[str, str]
    seconds: float = Field(gt=0, le=30)
    settings: dict[str, Any]
    faces: Literal["none", "single", "largest"]
    backend: str = ""
    version: int


class ManualSource:
    """Implements `generators.sources.contract.Source` for edits made by hand.

    Every edit is one take: the original, with the edited version beside it (`Take.edited`), which the generator
    `manual/edit` hands out as the fake. Face, voice, donors and files are the take's hooks: takes that share one of
    them stay in one split.

    Args:
        options: See `ManualOptions`.
        **more: The same as keywords.

    Raises:
        CmdfdError: If an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self.options = ManualOptions.read({**(options or {}), **more})
        self._found: FaceBackend | None = None

    def plan(self, splits: Mapping[str, Mapping[str, Any]], seed: int) -> SourcePlan:
        """List the edits: headers are read, nothing is decoded.

        Args:
            splits: Not read; the list may bind an edit to a split.
            seed: Not read; every usable edit is taken.

        Returns:
            Takes in the order of the list, and every edit that cannot be used, with the reason.

        Raises:
            CmdfdError: If the folder or its list is missing or wrong.
            NoFaceBackendError: If faces are asked for and nothing here can find them.
        """
        if not self.options.folder.is_dir():
            raise CmdfdError(f"source manual: {self.options.folder}: there is no such folder")
        rows = read_edits_csv(self.listed)
        items: list[SourceItem] = []
        refused: list[Refused] = []
        seen: dict[str, str] = {}
        for row in rows:
            try:
                items.append(self._item(row, seen))
            except MediaError as error:
                refused.append(Refused(printable(row.edited), error.code, error.detail))
        refused += self._unlisted({getattr(row, role) for row in rows for role in _ROLES})
        return SourcePlan(tuple(items), tuple(refused))

    def materialise(self, item: SourceItem, folder: Path) -> None:
        """Align the edit with its original, check it, and write both.

        Raises:
            MediaError: If the pair cannot be used after all (`generators.manual.problems`), or has changed since.
            NoFaceBackendError: If faces are asked for and nothing here can find them.
        """
        from generators.sources.store import save_take

        spec = _ItemSpec.model_validate(dict(item.spec))
        row = EditRow.model_validate(spec.row)
        files = self.files_of(row)
        for role, digest in spec.sha256.items():
            path: Path | None = getattr(files, role)
            if path is None or sha256_file(path) != digest:
                raise MediaError("missing", getattr(row, role), "the file has changed since the build was planned")
        canvas = spec.settings["canvas"]
        settings = ImportSettings(**{**spec.settings, "canvas": None if canvas is None else tuple(canvas)})
        save_take(folder, self._tracked(import_edit(row, files, settings), row, spec))

    def neutral(self) -> Sequence[str]:
        """Installed packages whose versions change the bytes of a take."""
        from generators.sources.folder import _installed

        wanted = _PACKAGES if self.options.faces == "none" else (*_PACKAGES, *_FACE_PACKAGES)
        return tuple(sorted(name for name in wanted if _installed(name)))

    @property
    def listed(self) -> Path:
        """The list of edits."""
        return self.options.csv or self.options.folder / FILE_NAME

    def files_of(self, row: EditRow) -> EditFiles:
        """The files of an edit.

        Raises:
            MediaError: "missing", or "unsafe_reference" where a link leaves the folder.
        """
        found = {role: self._inside(getattr(row, role)) if getattr(row, role) else None for role in _ROLES}
        return EditFiles(**found)  # type: ignore[arg-type]

    def settings_of(self, row: EditRow, digest: str) -> ImportSettings:
        """How an edit becomes a take; `digest` of its edited file draws where in a longer take the edit lies."""
        options = self.options
        canvas = (options.width, options.height) if options.width is not None and options.height is not None else None
        draw = int(content_id("manual-draw", digest, row.original), 16) / 16**16
        return ImportSettings(
            options.seconds, options.min_seconds, canvas, options.long_edge, options.strict, options.max_outside, draw
        )

    def _inside(self, file: str) -> Path:
        """The file, if it is a regular one inside the folder."""
        path = self.options.folder / file
        try:
            inside = path.resolve().is_relative_to(self.options.folder.resolve())
            regular = path.is_file()
        except (OSError, RuntimeError) as error:  # a name that is too long, a loop of links
            raise MediaError("missing", file, f"cannot be looked up: {error}") from error
        if not inside:
            raise MediaError(
                "unsafe_reference", file, "a link that leaves the folder; copy the file or move the folder"
            )
        if not regular:
            raise MediaError("missing", file, f"{printable(file)!r} is not there")
        return path

    def _item(self, row: EditRow, seen: dict[str, str]) -> SourceItem:
        from dataclasses import asdict

        files = self.files_of(row)
        if not row.rights.pristine:
            raise MediaError(
                "unsupported", row.original, "not pristine: the list says that the original was edited before"
            )
        seconds = self._seconds(row, files)
        digests = {role: _hash(path, row) for role in _ROLES if (path := getattr(files, role)) is not None}
        if digests["edited"] == digests["original"]:
            raise MediaError("unsupported", row.edited, f"identical: the same bytes as {row.original!r}")
        if digests["edited"] in seen:
            raise MediaError("unsupported", row.edited, f"the same bytes as {seen[digests['edited']]!r}")
        seen[digests["edited"]] = row.edited
        told = {name: value for name, value in row.model_dump(exclude={"line"}).items() if value not in {"", None}}
        told["pristine"] = row.pristine
        settings = asdict(self.settings_of(row, digests["edited"]))
        settings["canvas"] = None if settings["canvas"] is None else list(settings["canvas"])
        spec = _ItemSpec(
            row={**told, "line": 0},
            sha256=digests,
            seconds=seconds,
            settings=settings,
            faces=self.options.faces,
            backend="" if self.options.faces == "none" else self._backend(row.original).label,
            version=IMPORT_VERSION,
        )
        voice = row.voice_id or row.face_id
        people = dict.fromkeys((row.face_id, voice, *row.donor_ids))
        return SourceItem(
            key=f"edit-{content_id('manual', digests)}",
            face_id=row.face_id,
            voice_id=voice,
            source_ids=(
                content_id("file", digests["original"]),
                content_id("file", digests["edited"]),
                *(f"person-{content_id('person', name)}" for name in people),
            ),
            split=row.split,
            rights=row.rights,
            spec=spec.model_dump(mode="json"),
        )

    def _seconds(self, row: EditRow, files: EditFiles) -> float:
        """Length of the take, as headers tell."""
        from cmdfd.media.probe import probe
        from generators.sources.ingest import usable_span

        usable_span(probe(files.original))  # it has picture and sound
        edited = probe(files.edited)
        if edited.video is None:
            raise MediaError("no_video", row.edited)
        length = usable_span(probe(files.original)).seconds
        if edited.duration is not None:
            length = min(length, edited.duration)
        seconds = math.floor(min(length + 0.02, self.options.seconds) * FPS + 1e-6) / FPS
        if seconds < self.options.min_seconds:
            detail = f"{length:.2f} s are in both files, {self.options.min_seconds:g} are needed"
            raise MediaError("too_short", row.edited, detail)
        return seconds

    def _backend(self, file: str) -> FaceBackend:
        from cmdfd.faces.backends import get_backend

        if self._found is None:
            purpose = f"finding faces in real video ({file})"
            self._found = get_backend(self.options.face_backend, self.options.face_model, purpose)
        return self._found

    def _tracked(self, take: Take, row: EditRow, spec: _ItemSpec) -> Take:
        """With the face of the original, where that was asked for."""
        if spec.faces == "none":
            return take
        import numpy as np

        from cmdfd.faces.linking import main_track
        from cmdfd.media.decode import Video

        backend = self._backend(row.original)
        if backend.label != spec.backend:
            raise CmdfdError(
                f"source manual: planned with {spec.backend!r}, but here faces are found by {backend.label!r}"
            )
        found = backend.track(Video(take.frames, np.arange(len(take.frames)) / take.fps))
        return replace(take, track=main_track(found, row.original, spec.faces))

    def _unlisted(self, listed: set[str]) -> Iterator[Refused]:
        """Recordings in the folder that the list does not know."""
        folder = self.options.folder
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in place.parts)
            if (
                path.suffix.lower() in VIDEO_SUFFIXES
                and place.as_posix() not in listed
                and not hidden
                and path.is_file()
            ):
                reason = f"not listed in {self.listed.name}, so nobody knows what was edited"
                yield Refused(printable(place.as_posix()), "unsupported", reason)


def _hash(path: Path, row: EditRow) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise MediaError("missing", row.edited, f"{path.name} cannot be read: {error.strerror}") from error
