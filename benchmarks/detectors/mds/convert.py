"""The authors' checkpoint to safetensors: `python -m benchmarks.detectors.mds.convert IN OUT`.

A released checkpoint is a pickle of a stranger. It is read with `weights_only=True`, which builds tensors and plain
containers and refuses every other callable. Checkpoints of the authors' train.py also hold NumPy scalars (their
running loss); the two names that those need are bound to inert stand-ins here, so that still nothing of the file is
called.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.detectors.mds.checkpoint import MAX_WEIGHTS_BYTES, check_tensors, write_tensors
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: Keys under which training objects are known to keep their weights, in the order in which they are tried.
CONTAINERS = ("state_dict", "net_state_dict", "model_state_dict", "model")
_PARALLEL_PREFIX = "module."


class _InertType:
    """Stands for `numpy.dtype` in a pickle; keeps nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _inert_scalar(*_: object) -> None:
    """Stands for NumPy's scalar constructor in a pickle: the number is not needed."""


def load_pickle(path: Path) -> Any:
    """Read a PyTorch checkpoint without running anything of it.

    Raises:
        CmdfdError: If the file is missing, too large, broken off, or wants to call something.
    """
    import torch

    _check_bulk(path)
    inert: list[Any] = [(_InertType, "numpy.dtype")]
    inert += [(_inert_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    try:
        with torch.serialization.safe_globals(inert):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file may fail anywhere inside the reader
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CmdfdError(
            f"{path}: refused: not a plain PyTorch checkpoint of tensors ({type(error).__name__}: {_why(reason)})"
        ) from error


def _why(lines: Sequence[str]) -> str:
    """The line that names the forbidden callable, else the first one."""
    named = [line.strip() for line in lines if "GLOBAL" in line or "global" in line]
    return (named or [lines[0]])[0][:300]


def _check_bulk(path: Path) -> None:
    if not path.is_file():
        raise CmdfdError(f"{path}: there is no such file")
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                size = max(size, sum(entry.file_size for entry in archive.infolist()))
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise CmdfdError(f"{path}: refused: a broken archive ({error})") from error
    if size > MAX_WEIGHTS_BYTES:
        raise CmdfdError(f"{path}: refused: {size} bytes unpacked, at most {MAX_WEIGHTS_BYTES} are read")
    if not size:
        raise CmdfdError(f"{path}: refused: the file is empty")


def state_dict_of(path: Path, loaded: Any) -> dict[str, Any]:
    """Find the state dict in what a checkpoint holds, and strip the prefix of `DataParallel`.

    Args:
        path: For messages.
        loaded: A bare state dict, or a mapping with one under one of `CONTAINERS`.

    Raises:
        CmdfdError: If there is none.
    """
    if not isinstance(loaded, Mapping):
        raise CmdfdError(f"{path}: holds a {type(loaded).__name__}, expected a state dict")
    held: Any = next((loaded[key] for key in CONTAINERS if isinstance(loaded.get(key), Mapping)), loaded)
    if not held or not all(isinstance(name, str) for name in held):
        raise CmdfdError(f"{path}: no state dict, neither bare nor under any of {', '.join(CONTAINERS)}")
    stripped = {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in held.items()}
    if len(stripped) != len(held):
        raise CmdfdError(f"{path}: a tensor is there twice, with and without the prefix {_PARALLEL_PREFIX!r}")
    return stripped


def convert(source: Path, target: Path) -> int:
    """Convert the authors' checkpoint to safetensors.

    Every tensor of the released network must be there with its shape and type, finite, and no other.

    Args:
        source: Checkpoint (`*.pth`, `*.pth.tar`, `*.pt`), old or new serialisation.
        target: File to write, ending in `.safetensors`.

    Returns:
        Number of tensors written.

    Raises:
        CmdfdError: Naming the file, the tensor and the expected shape; nothing is written then.
    """
    from benchmarks.detectors.mds.faithful_net import released_layout

    if target.suffix != ".safetensors":
        raise CmdfdError(f"{target}: name the output *.safetensors")
    layout = released_layout()
    tensors: dict[str, Tensor] = state_dict_of(source, load_pickle(source))
    check_tensors(source, tensors, layout)
    # clones: tensors of a pickle may share memory, which safetensors refuses
    write_tensors(target, {name: tensors[name].clone() for name in layout}, {"network": "mds released"})
    return len(layout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors.mds.convert", description=__doc__)
    parser.add_argument("source", type=Path, metavar="IN", help="the authors' checkpoint (a PyTorch pickle)")
    parser.add_argument("target", type=Path, metavar="OUT", help="safetensors file to write")
    options = parser.parse_args(arguments)
    try:
        count = convert(options.source, options.target)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(
        f"{options.target}: {count} tensors. Use them with: --detector mds --preset faithful, "
        f"option weights={options.target}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
