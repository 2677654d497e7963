"""Fitted detectors on disk: `model.safetensors` and `detector.json`, read as the files of strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from benchmarks.detector import FitRecord
from cmdfd.clip import sha256_file
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from benchmarks.detectors.mds.faithful_net import TensorShape

SCHEMA_VERSION = 1
WEIGHTS_FILE, FACTS_FILE = "model.safetensors", "detector.json"
#: Larger files are refused unread: the released network with its optimiser is 1.5 GB.
MAX_WEIGHTS_BYTES = 4 << 30
_MAX_JSON_BYTES = 16 << 20


class _Record(BaseModel):
    """`FitRecord` at the file boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: str
    preset: str
    seed: int
    trained_on: list[str]
    selected_on: list[str]
    components: list[str]
    details: dict[str, Any]


class Facts(BaseModel):
    """Contents of `detector.json`.

    Args:
        schema_version: Version of this file's layout.
        detector: Always "mds".
        preset: Preset that was fitted.
        seed: Seed of the fit.
        options: Options that the user gave.
        threshold: Decision threshold of the clip's score, None where none could be chosen.
        window_threshold: Threshold of a single window for localization, likewise.
        weights_sha256: Of `model.safetensors`.
        record: What the fit was made from, None where weights were given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    detector: Literal["mds"]
    preset: str
    seed: int
    options: dict[str, Any]
    threshold: float | None = Field(allow_inf_nan=False)
    window_threshold: float | None = Field(allow_inf_nan=False)
    weights_sha256: str
    record: _Record | None

    def fit_record(self) -> FitRecord | None:
        """The record as the harness knows it."""
        if self.record is None:
            return None
        values = self.record.model_dump()
        lists = {name: tuple(values[name]) for name in ("trained_on", "selected_on", "components")}
        return FitRecord(**{**values, **lists})


def to_record(record: FitRecord | None) -> _Record | None:
    """A `FitRecord` as it goes into `detector.json`."""
    if record is None:
        return None
    return _Record(
        detector=record.detector,
        preset=record.preset,
        seed=record.seed,
        trained_on=list(record.trained_on),
        selected_on=list(record.selected_on),
        components=list(record.components),
        details=dict(record.details),
    )


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under another name beside its place, then rename it."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(data)
    draft.replace(path)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, atomically; the folder is made where it is missing."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(flat, draft, metadata={"format": "pt", **(metadata or {})})
    draft.replace(path)


def read_tensors(path: Path, layout: Mapping[str, TensorShape]) -> dict[str, Tensor]:
    """Read a safetensors file that must hold exactly the expected tensors, all finite.

    Args:
        path: File.
        layout: Expected names, shapes and types.

    Raises:
        CmdfdError: Naming the file, the tensor and the expected shape; nothing is allocated for a wrong file.
    """
    from safetensors import SafetensorError, safe_open

    _check_size(path, MAX_WEIGHTS_BYTES)
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            found = {
                name: (tuple(stored.get_slice(name).get_shape()), stored.get_slice(name).get_dtype())
                for name in stored.keys()  # noqa: SIM118 - safe_open is no mapping
            }
            _check_header(path, found, layout)
            # Copied into torch's own memory: the file's tensors are not aligned, and on some processors the same
            # product then rounds in another way, so that a loaded detector gave other scores by a last bit.
            tensors = {name: stored.get_tensor(name).clone() for name in layout}
    except (SafetensorError, OSError, ValueError) as error:
        raise CmdfdError(f"{path}: not a readable safetensors file: {error}") from error
    check_tensors(path, tensors, layout)
    return tensors


def _check_header(
    path: Path, found: Mapping[str, tuple[tuple[int, ...], str]], layout: Mapping[str, TensorShape]
) -> None:
    _check_names(path, found, layout)
    for name, wanted in layout.items():
        shape, _ = found[name]
        if shape != wanted.shape:
            raise CmdfdError(f"{path}: tensor {name!r} has shape {_spell(shape)}, expected {_spell(wanted.shape)}")


def _check_names(path: Path, found: Mapping[str, Any], layout: Mapping[str, TensorShape]) -> None:
    missing = [name for name in layout if name not in found]
    if missing:
        name = missing[0]
        raise CmdfdError(
            f"{path}: {len(missing)} tensors are missing, first {name!r} (expected {_spell(layout[name].shape)})"
        )
    extra = sorted(name for name in found if name not in layout)
    if extra:
        raise CmdfdError(f"{path}: {len(extra)} tensors are not part of the network, first {extra[0]!r}")


def check_tensors(path: Path, tensors: Mapping[str, Any], layout: Mapping[str, TensorShape]) -> None:
    """Refuse missing, foreign, misshapen, mistyped or non-finite tensors.

    Raises:
        CmdfdError: Naming the file, the tensor and what was expected.
    """
    import torch

    _check_names(path, tensors, layout)
    for name, wanted in layout.items():
        tensor = tensors[name]
        if not _is_plain(tensor):
            raise CmdfdError(f"{path}: {name!r} is not a plain tensor, expected {_spell(wanted.shape)} {wanted.dtype}")
        if tuple(tensor.shape) != wanted.shape:
            shape = _spell(tuple(tensor.shape))
            raise CmdfdError(f"{path}: tensor {name!r} has shape {shape}, expected {_spell(wanted.shape)}")
        if tensor.dtype != wanted.dtype:
            raise CmdfdError(f"{path}: tensor {name!r} is {tensor.dtype}, expected {wanted.dtype}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CmdfdError(f"{path}: tensor {name!r} ({_spell(wanted.shape)}) has values that are not finite")


def _is_plain(tensor: Any) -> bool:
    import torch

    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        return False
    return tensor.device.type == "cpu" and not tensor.is_quantized


def _spell(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape) or "scalar"


def _check_size(path: Path, limit: int) -> None:
    if not path.is_file():
        raise CmdfdError(f"{path}: there is no such file")
    size = path.stat().st_size
    if size > limit:
        raise CmdfdError(f"{path}: {size} bytes, at most {limit} are read")


def write_facts(folder: Path, facts: Facts) -> None:
    """Write `detector.json`."""
    write_atomically(folder / FACTS_FILE, (facts.model_dump_json(indent=2) + "\n").encode())


def read_facts(folder: Path) -> Facts:
    """Read `detector.json` and check that the weights beside it are the ones it was written for.

    Raises:
        CmdfdError: Naming the file and the field.
    """
    path = folder / FACTS_FILE
    _check_size(path, _MAX_JSON_BYTES)
    try:
        raw = from_json(path.read_bytes())
    except ValueError as error:
        raise CmdfdError(f"{path}: not JSON: {error}") from error
    # The version first: a later layout may have other fields, and their absence here is not the user's fault.
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise CmdfdError(f"{path}: schema_version {version!r}, this version reads {SCHEMA_VERSION}")
    try:
        facts = Facts.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CmdfdError(f"{path}: {field}: {first['msg']}") from error
    weights = folder / WEIGHTS_FILE
    _check_size(weights, MAX_WEIGHTS_BYTES)
    if sha256_file(weights) != facts.weights_sha256:
        raise CmdfdError(f"{weights}: its SHA-256 is not the weights_sha256 of {FACTS_FILE}; copy both files together")
    return facts
