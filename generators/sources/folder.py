"""Pristine takes from a folder of the user's own recordings, listed in a `sources.csv`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cmdfd.clip import content_id, sha256_file
from cmdfd.errors import CmdfdError, MediaError, nearest
from generators.sources.contract import Refused, SourceItem, SourcePlan
from generators.sources.ingest import IngestSettings, Span, cut, ingest, sound_seconds, usable_span
from generators.sources.sources_csv import FILE_NAME, SourceRow, SourcesCsvError, printable, read_sources_csv
from generators.sources.words_file import WordsFileError, find_words_file, read_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cmdfd.faces.backends import FaceBackend
    from generators.generator import Word

#: Suffixes by which a file that the ledger does not list is recognised as a recording, to tell that it was left out.
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv",
    ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
#: Goes up whenever `materialise` would make other bytes of the same item.
INGEST_VERSION = 1
#: Packages whose versions change what is made.
_PACKAGES = ("av", "mediapipe", "numpy", "opencv-contrib-python", "opencv-python", "opencv-python-headless")


class FolderOptions(BaseModel):
    """The options of a recipe's `folder` source.

    Args:
        folder: Where the recordings are.
        csv: The ledger; default `sources.csv` in the folder.
        identity_per_file: Where the ledger leaves a recording's identity open, take every such file for a person of
            its own. Right only if no person is in two files: one person in two splits is a leak.
        seconds: Length of a take.
        min_seconds: A recording shorter than `seconds` but not than this gives one shorter take.
        max_takes_per_file: Most takes of one recording, from its start.
        size: Side of the square picture in pixels.
        face_backend: Name in `cmdfd.faces.backends.BACKENDS`; None takes the first that is installed.
        face_model: Model file for backends that need one.
        faces: "single" refuses recordings of several people, "largest" keeps the largest face.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    csv: Path | None = None
    identity_per_file: bool = False
    seconds: float = Field(default=3.8, ge=0.4, le=20)
    min_seconds: float = Field(default=2.6, ge=0.2, le=20)
    max_takes_per_file: int = Field(default=4, ge=1, le=1000)
    size: int = Field(default=256, ge=64, le=1024, multiple_of=2)
    face_backend: str | None = None
    face_model: Path | None = None
    faces: Literal["single", "largest"] = "single"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_seconds > self.seconds:
            raise ValueError(f"min_seconds {self.min_seconds} is more than seconds {self.seconds}")
        return self

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> FolderOptions:
        """Check options as a recipe gives them.

        Raises:
            CmdfdError: Names the option and the fix.
        """
        unknown = sorted(set(options) - set(cls.model_fields))
        if unknown:
            raise CmdfdError(f"source folder: unknown option {unknown[0]!r}: {nearest(unknown[0], cls.model_fields)}")
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "options"
            raise CmdfdError(f"source folder: {name}: {first['msg'].removeprefix('Value error, ')}") from error


class _ItemSpec(BaseModel):
    """What `materialise` reads from an item; the plan may have been a file in between."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    start: float
    seconds: float = Field(gt=0, le=20)
    min_seconds: float = Field(gt=0, le=20)
    size: int = Field(ge=64, le=1024)
    faces: Literal["single", "largest"]
    backend: str
    version: int
    words: str | None = None
    words_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class FolderSource:
    """Implements `generators.sources.contract.Source` for a folder.

    Word times are read from a file beside a recording where there is one; see `generators.sources.words_file`.

    Args:
        options: See `FolderOptions`.
        **more: The same as keywords.

    Raises:
        CmdfdError: If an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self.options = FolderOptions.read({**(options or {}), **more})
        self._found: FaceBackend | None = None

    def plan(self, splits: Mapping[str, Mapping[str, Any]], seed: int) -> SourcePlan:
        """List the takes: headers are read, nothing is decoded. No take is bound to a split.

        Args:
            splits: Not read.
            seed: Not read; every usable recording is taken.

        Returns:
            Takes in the order of the ledger, and every recording that cannot be used, with the reason.

        Raises:
            CmdfdError: If the folder or its ledger is missing or wrong, an identity is open, or word times are wrong.
            NoFaceBackendError: If there are takes but nothing here can find their faces.
        """
        folder = self.options.folder
        if not folder.is_dir():
            raise CmdfdError(f"source folder: {folder}: there is no such folder")
        rows = read_sources_csv(self._ledger())
        self._check_identities(rows)
        items: list[SourceItem] = []
        refused: list[Refused] = []
        seen: dict[str, str] = {}
        wrong: list[str] = []
        for row in rows:
            try:
                items += self._takes(row, seen)
            except MediaError as error:
                refused.append(Refused(printable(row.file), error.code, error.detail))
            except WordsFileError as error:
                wrong.append(str(error))
        if wrong:
            raise WordsFileError("\n".join(wrong))
        refused += self._unlisted({row.file for row in rows})
        return SourcePlan(tuple(items), tuple(refused))

    def materialise(self, item: SourceItem, folder: Path) -> None:
        """Decode one take, find its face, cut it out and write it.

        Raises:
            MediaError: If the recording cannot be used after all, e.g. `no_face`, or has changed since the plan.
            NoFaceBackendError: If nothing here can find faces.
        """
        from generators.sources.store import save_take

        spec = _ItemSpec.model_validate(dict(item.spec))
        path = self._inside(spec.file)
        if sha256_file(path) != spec.sha256:
            raise MediaError("missing", spec.file, "the file has changed since the build was planned")
        backend = self._backend(spec.file)
        if backend.label != spec.backend:
            raise CmdfdError(
                f"source folder: planned with {spec.backend!r}, but here faces are found by {backend.label!r}"
            )
        settings = IngestSettings(spec.size, spec.min_seconds, spec.faces)
        take = ingest(path, Span(spec.start, spec.seconds), backend, settings, self._words(path, spec))
        save_take(folder, take)

    def _words(self, path: Path, spec: _ItemSpec) -> tuple[Word, ...]:
        """The word times that the plan saw.

        Raises:
            MediaError: "missing" where they are other ones now.
        """
        from cmdfd.media.probe import probe

        if spec.words is None:
            return ()
        words = self._inside(spec.words)
        if sha256_file(words) != spec.words_sha256:
            raise MediaError("missing", spec.words, "the file has changed since the build was planned")
        return read_words(words, sound_seconds(probe(path)))

    def neutral(self) -> Sequence[str]:
        """Installed packages whose versions change the bytes of a take."""
        return tuple(name for name in _PACKAGES if _installed(name))

    def _ledger(self) -> Path:
        return self.options.csv or self.options.folder / FILE_NAME

    def _backend(self, file: str) -> FaceBackend:
        """The one backend of this source; `file` is named where there is none."""
        from cmdfd.faces.backends import get_backend

        if self._found is None:
            purpose = f"finding faces in real video ({file})"
            self._found = get_backend(self.options.face_backend, self.options.face_model, purpose)
        return self._found

    def _check_identities(self, rows: Sequence[SourceRow]) -> None:
        if self.options.identity_per_file:
            return
        for row in rows:
            if row.identity is None:
                raise SourcesCsvError(
                    f"{self._ledger()}: line {row.line}, column 'identity': nobody is named for {row.file!r}; write "
                    "who it is (the same word in all their files), or set the option identity_per_file: true if no "
                    "person is in two files"
                )

    def _inside(self, file: str) -> Path:
        """The file, if it is a regular one inside the folder.

        Raises:
            MediaError: `missing`, or `unsafe_reference` where a link leaves the folder.
        """
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
            raise MediaError("missing", file)
        return path

    def _takes(self, row: SourceRow, seen: dict[str, str]) -> Iterator[SourceItem]:
        from cmdfd.media.probe import probe

        options = self.options
        path = self._inside(row.file)
        if not row.rights.pristine:
            raise MediaError("unsupported", row.file, "not pristine: the ledger says that it is edited or generated")
        info = probe(path)
        usable = usable_span(info)
        spans = cut(usable, options.seconds, options.min_seconds, options.max_takes_per_file)
        if not spans:
            detail = f"{usable.seconds:.2f} s of picture and sound, {options.min_seconds:g} are needed"
            raise MediaError("too_short", row.file, detail)
        try:
            digest = sha256_file(path)
        except OSError as error:
            raise MediaError("missing", row.file, f"cannot be read: {error.strerror}") from error
        if digest in seen:
            raise MediaError("unsupported", row.file, f"the same bytes as {seen[digest]!r}")
        seen[digest] = row.file
        words = self._words_beside(row.file, path, sound_seconds(info))
        for number, span in enumerate(spans):
            yield self._item(row, digest, span, number, words)

    def _words_beside(self, file: str, path: Path, seconds: float) -> dict[str, str]:
        """Name and content address of a recording's word times, after a check; nothing where there are none."""
        found = find_words_file(path)
        if found is None:
            return {}
        name = (PurePosixPath(file).parent / found.name).as_posix()
        inside = self._inside(name)
        read_words(inside, seconds)
        return {"words": name, "words_sha256": sha256_file(inside)}

    def _item(self, row: SourceRow, digest: str, span: Span, number: int, words: Mapping[str, str]) -> SourceItem:
        file_id = content_id("file", digest)
        identity = row.identity or f"person-{file_id}"
        spec = _ItemSpec(
            file=row.file,
            sha256=digest,
            start=round(span.start, 6),
            seconds=round(span.seconds, 6),
            min_seconds=self.options.min_seconds,
            size=self.options.size,
            faces=self.options.faces,
            backend=self._backend(row.file).label,
            version=INGEST_VERSION,
            **words,
        )
        return SourceItem(
            key=f"{file_id}-{number:03d}",
            face_id=identity,
            voice_id=identity,
            source_ids=(file_id,),
            split=None,
            rights=row.rights,
            spec=spec.model_dump(exclude_none=True),
        )

    def _unlisted(self, listed: set[str]) -> Iterator[Refused]:
        """Recordings in the folder that the ledger does not know."""
        folder = self.options.folder
        for path in sorted(folder.rglob("*")):
            file = path.relative_to(folder).as_posix()
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.suffix.lower() in VIDEO_SUFFIXES and file not in listed and not hidden and path.is_file():
                reason = f"not listed in {self._ledger().name}, so its identity, licence and consent are unknown"
                yield Refused(printable(file), "unsupported", reason)


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
