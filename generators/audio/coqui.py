"""Coqui TTS in process: what is installed, which models are on this disk and under which terms, and how they speak.

Nothing here ever reaches for the network: a model is used if its files are here, else refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
import wave
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import sha256_file
from cmdfd.errors import JobError, MissingExtraError, nearest
from generators.audio.sealed import offline, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generators.audio.dsp import Signal

#: What coqui-tts wants to find when it is imported, besides what pip installs with it (its `TTS/__init__.py`).
COMPANIONS = ("torch", "torchaudio", "torchcodec", "six")
#: The second step of the installation: constraints.txt refuses these two, as they break other things where their
#: build does not fit that of torch. Coqui asks whether torchcodec is there, and never loads it.
BESIDE = "pip install --no-deps torchaudio torchcodec"
#: Licence in Coqui's list of models, lower case -> terms on what the model makes, and whether they must be accepted.
TERMS: dict[str, tuple[str, bool]] = {
    "mit": ("", False), "apache 2.0": ("", False), "apache2": ("", False), "apache-2.0": ("", False),
    "bsd-3-clause": ("", False), "mpl": ("", False), "mpl2": ("", False), "mpl 2.0": ("", False),
    "mpl-2.0": ("", False), "cc0-1.0": ("", False), "cc-by-4.0": ("CC-BY-4.0", False),
    "cc-by-sa 4.0": ("CC-BY-SA-4.0", False), "cc-by-sa-4.0": ("CC-BY-SA-4.0", False),
    "cc by-nc 4.0": ("CC-BY-NC-4.0", True), "cc-by-nc-4.0": ("CC-BY-NC-4.0", True),
    "cc by-nc-nd 4.0": ("CC-BY-NC-ND-4.0", True), "cc-by-nc-nd-4.0": ("CC-BY-NC-ND-4.0", True),
    "cpml": ("CPML", True), "openrail": ("OpenRAIL", True),
}  # fmt: skip
#: Seconds that trying to import the package may take.
_IMPORT_TIMEOUT = 120.0
_WEIGHTS = (".pth", ".pt", ".tar", ".bin", ".safetensors", ".npy", ".json")
_FAIRSEQ_LICENCE = "CC BY-NC 4.0"
_PARTS_OF_A_NAME = 4


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose files are on this disk.

    Args:
        name: Coqui's name, or that of the file.
        registered: Whether it is one of Coqui's list.
        paths: Arguments of `TTS.api.TTS` that name files.
        licence: As its makers or the user state it; "" for unknown.
        parts: What each file or folder is, and where; their contents are the model.
    """

    name: str
    registered: bool
    paths: tuple[tuple[str, str], ...]
    licence: str
    parts: tuple[tuple[str, Path], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model in memory: the API object, samples per second, and SHA-256 of its files by name."""

    api: Any
    sample_rate: int
    weights: Mapping[str, str] = field(default_factory=dict)


class Installed:
    """What generators that need Coqui TTS tell of it."""

    def problems(self) -> list[str]:
        """What keeps the package from running here; empty if nothing does."""
        told = lacking()
        if told:
            return [told]
        code = (
            "import sys; from cmdfd.errors import JobError; from generators.audio.coqui import import_api\n"
            "try: import_api('coqui')\nexcept JobError as error: sys.exit(error.detail)"
        )
        try:  # in a process of its own: what is half loaded cannot be unloaded
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=_IMPORT_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return [f"Coqui TTS could not be imported within {_IMPORT_TIMEOUT:g} s"]
        return [done.stderr.strip().splitlines()[-1]] if done.returncode and done.stderr.strip() else []

    def state(self) -> str:
        """Versions of what decides the sound; part of every job's address."""
        return " ".join(f"{name} {version_of(name)}" for name in ("coqui-tts", "torch", "transformers"))


def import_api(who: str) -> Any:
    """The module `TTS.api`.

    Args:
        who: The generator, for errors.

    Raises:
        JobError: "env_missing", naming what is missing or broken and the command that installs it.
    """
    try:
        with offline():
            return importlib.import_module("TTS.api")
    except Exception as error:  # whatever a half-installed package raises
        raise JobError("env_missing", who, lacking(error)) from error


def lacking(error: BaseException | None = None) -> str:
    """What keeps Coqui TTS from running here, in a sentence with the command that helps; "" if nothing seems to.

    Args:
        error: What importing it raised, if that was tried.
    """
    fix = str(MissingExtraError("tts", "Coqui's voices"))
    if importlib.util.find_spec("TTS") is None:
        return fix
    if (old := version_of("TTS")) and not version_of("coqui-tts"):
        return f"the package TTS {old} is not maintained and does not load beside this torch: uninstall it; {fix}"
    if error is None:
        return ""
    absent = [name for name in COMPANIONS if importlib.util.find_spec(name) is None]
    if absent:
        if not set(absent) & {"torch", "six"}:
            fix = f"the constraints keep both out of other environments; in one of its own: {BESIDE}"
        return f"Coqui TTS is installed, but not {', '.join(absent)}, without which it does not start; {fix}"
    broken = _broken_companion()
    if broken:
        return (
            f"Coqui TTS is installed, but {broken}: install the build that belongs to torch {version_of('torch')}, "
            "from the package index that torch came from"
        )
    return f"Coqui TTS is installed, but cannot be loaded: {told(error)}; {fix}"


def version_of(distribution: str) -> str:
    """Version of an installed distribution, "" without it."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _broken_companion() -> str:
    """The first companion that cannot be imported; torchcodec need only be there."""
    for name in ("torch", "torchaudio", "six"):
        try:
            importlib.import_module(name)
        except Exception as error:  # OSError from a library, RuntimeError from an operator, ImportError ...
            return f"{name} cannot be loaded ({told(error)})"
    return ""


def told(error: BaseException) -> str:
    """Kind and first line of an error, without the folders of this machine."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {re.sub(r'(?<![^ =(:])(/[^/ ]+)+/', '', lines[0])}"[:300]


def find_model(params: Mapping[str, Any], who: str) -> Model:
    """The model that the parameters name.

    Args:
        params: `model` (one of Coqui's list) or `model_path` (a file or folder) with `config_path`, `vocoder_path`
            with `vocoder_config_path`, and `licence`.
        who: The generator, for errors.

    Raises:
        JobError: "weights_missing" where a file is not here, "input_unsupported" for a name that nobody knows.
    """
    if bool(params["model"]) == bool(params["model_path"]):
        reason = "name either a model of Coqui's list (model) or one of your own files (model_path)"
        raise JobError("input_unsupported", who, reason)
    vocoder = [(key, params[key]) for key in ("vocoder_path", "vocoder_config_path") if params[key]]
    if len(vocoder) == 1:
        raise JobError("input_unsupported", who, "vocoder_path and vocoder_config_path belong together")
    files = [(key, _file(key, str(value), who)) for key, value in vocoder]
    if params["model"]:
        return _registered(str(params["model"]), files, str(params["licence"] or ""), who)
    path = _file("model_path", str(params["model_path"]), who)
    beside = path / "config.json" if path.is_dir() else path.parent / "config.json"
    config = _file("config_path", str(params["config_path"] or beside), who)
    files = [("model_path", path), ("config_path", config), *files]
    paths = tuple((key, str(value)) for key, value in files)
    parts = tuple((key.removesuffix("_path"), value) for key, value in files)
    return Model(path.name, False, paths, str(params["licence"] or ""), parts)


def _file(key: str, value: str, who: str) -> Path:
    path = Path(value).expanduser()
    if not path.exists():
        raise JobError("weights_missing", who, f"{key} {path.name!r} does not exist")
    return path.absolute()


def _registered(name: str, vocoder: list[tuple[str, Path]], licence: str, who: str) -> Model:
    """One of Coqui's list, if it was fetched before."""
    import_api(who)
    manager = importlib.import_module("TTS.utils.manage").ModelManager(progress_bar=False)
    item = _item(manager.models_dict, name, who)
    parts = [("model", _folder(manager, name, item, who))]
    partner = item.get("default_vocoder")
    if partner and not vocoder:
        parts.append(("vocoder", _folder(manager, partner, _item(manager.models_dict, partner, who), who)))
    paths = tuple((key, str(path)) for key, path in vocoder)
    stated = str(item.get("license") or licence)
    own = [(key.removesuffix("_path"), path) for key, path in vocoder]
    return Model(name, True, paths, stated, (*parts, *own))


def _item(known: Mapping[str, Any], name: str, who: str) -> dict[str, Any]:
    parts = name.split("/")
    if len(parts) == _PARTS_OF_A_NAME and parts[2] == "fairseq":
        return {"license": _FAIRSEQ_LICENCE}
    found: Any = known
    for part in parts:
        found = found.get(part) if isinstance(found, dict) else None
    if len(parts) != _PARTS_OF_A_NAME or not isinstance(found, dict):
        names = [
            f"{kind}/{language}/{data}/{model}"
            for kind, languages in known.items()
            if kind == (parts[0] if parts[0] in known else "tts_models")
            for language, sets in languages.items()
            for data, models in sets.items()
            for model in models
        ]
        raise JobError("input_unsupported", who, f"Coqui has no model {name!r}: {nearest(name, names)}")
    return dict(found)


def _folder(manager: Any, name: str, item: Mapping[str, Any], who: str) -> Path:
    """Where a model of the list lies."""
    if "repo_id" in item:
        from huggingface_hub import snapshot_download

        try:
            options: dict[str, Any] = {"allow_patterns": item.get("allow"), "ignore_patterns": item.get("ignore")}
            return Path(snapshot_download(str(item["repo_id"]), local_files_only=True, **options))
        except Exception as error:  # the Hub client has a family of them for "not here"
            raise JobError("weights_missing", who, _fetch(name)) from error
    folder = Path(manager.output_prefix) / name.replace("/", "--")
    if not any(path.suffix in _WEIGHTS for path in folder.rglob("*")):
        raise JobError("weights_missing", who, _fetch(name))
    return folder


def _fetch(name: str) -> str:
    return (
        f"the files of {name!r} are not on this machine, and a build downloads nothing: fetch them once with Coqui's "
        f"own command, which also shows their terms: tts --model_name {name} --text hello --out_path hello.wav"
    )


def terms(model: Model, *, accepted: bool, who: str) -> str:
    """Terms that a model puts on what it makes, "" for none.

    Raises:
        JobError: "licence_refused" where the user must accept them and did not.
    """
    known = TERMS.get(model.licence.strip().lower())
    if known is None:
        output, needed = "unclear", True
        if model.licence and not model.registered:
            output = model.licence  # the user's own words for the user's own files
            needed = False
    else:
        output, needed = known
    if needed and not accepted:
        told = f"the terms of {model.name!r} are {model.licence!r}" if model.licence else (
            f"the terms of {model.name!r} are not known: state them with licence"
        )  # fmt: skip
        raise JobError("licence_refused", who, f"{told}; read them, and accept them with accept_licence: true")
    return output


def load(model: Model, *, agreed: bool, who: str, converts: bool = False) -> Loaded:
    """The model in memory; the last one stays there.

    Args:
        model: Of `find_model`.
        agreed: Whether the user accepted its terms.
        who: The generator, for errors.
        converts: Whether it shall change voices instead of speaking.

    Raises:
        JobError: "env_missing" without the package, "crashed" if the files do not make a model.
    """
    import_api(who)
    marks = tuple(
        (name, str(path), *_mark(path)) for part, place in model.parts for name, path in files_of(part, place)
    )
    return _load(model, marks, agreed, who, converts)


def files_of(part: str, place: Path) -> list[tuple[str, Path]]:
    """The files of one part of a model, each with a name that no other has."""
    if place.is_file():
        return [(part, place)]
    found = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix in _WEIGHTS)
    return [(f"{part}/{path.relative_to(place).as_posix()}", path) for path in found]


def _mark(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=1)
def _load(model: Model, marks: tuple[tuple[str, str, int, int], ...], agreed: bool, who: str, converts: bool) -> Loaded:
    weights = {name: sha256_file(Path(path)) for name, path, *_ in marks}
    try:
        with offline(agreed=agreed), seeded(0):
            made = _made(model, import_api(who), converts)
            engine = getattr(made, "voice_converter" if converts else "synthesizer", made)
            if engine is None:
                raise TypeError(f"it is no model that {'changes voices' if converts else 'speaks'}")
            return Loaded(engine if converts else made, int(engine.output_sample_rate), weights)
    except MemoryError:
        raise
    except Exception as error:  # a pickle, a JSON file, a shape: anything may be wrong in a stranger's files
        raise JobError("crashed", who, f"{model.name!r} cannot be loaded: {told(error)}") from error


def _made(model: Model, api: Any, converts: bool) -> Any:
    files = dict(model.paths)
    if model.registered:
        return api.TTS(model_name=model.name, **files, progress_bar=False)
    if not converts:
        return api.TTS(**files, progress_bar=False)
    engine = importlib.import_module("TTS.utils.synthesizer").Synthesizer
    return engine(vc_checkpoint=files["model_path"], vc_config=files["config_path"])


def sound_of(work: Callable[[], Any], seed: int, who: str) -> Signal:
    """What a model says.

    Args:
        work: Calls the model.
        seed: Seeds all chance.
        who: The generator, for errors.

    Returns:
        [N] float32 at the model's rate, without the digital silence that Coqui adds behind the last sentence.

    Raises:
        JobError: "crashed" or "oom" if the model fails, "output_corrupt" if it says nothing or no number.
    """
    try:
        with offline(), seeded(seed):
            made = np.asarray(work(), np.float32).reshape(-1)
    except MemoryError:
        raise
    except Exception as error:
        code = "oom" if "not enough memory" in str(error) or "out of memory" in str(error).lower() else "crashed"
        raise JobError(code, who, told(error)) from error
    made = np.trim_zeros(made, "b")
    if not len(made) or not np.isfinite(made).all() or not np.abs(made).max() > 0:
        raise JobError("output_corrupt", who, "the model made no sound, or one that is not finite")
    return made


def check_pin(loaded: Loaded, pinned: Any, who: str) -> None:
    """Compare the weights with the SHA-256 that a recipe names.

    Raises:
        JobError: "hash_mismatch" if no file has it.
    """
    if pinned and str(pinned) not in loaded.weights.values():
        raise JobError("hash_mismatch", who, f"none of {', '.join(loaded.weights)} has the SHA-256 {pinned!r}")


def write_wav(path: Path, samples: Signal, rate: int) -> Path:
    """Write mono 16 bit sound for a model to read."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return path
