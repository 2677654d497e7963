"""Conversion of the authors' pickle: faithful for good files, inert and clear for hostile ones."""

from __future__ import annotations

import builtins
import contextlib
import copy
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.detectors.mds import convert as module
from benchmarks.detectors.mds.convert import convert, load_pickle, main
from benchmarks.detectors.mds.faithful_net import TensorShape, released_layout
from cmdfd.errors import CmdfdError

#: The released names and types with every dimension cut to 3 at most: a few kilobytes instead of 491 MB.
LAYOUT = {
    name: TensorShape(tuple(min(n, 3) for n in wanted.shape), wanted.dtype)
    for name, wanted in released_layout().items()
}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.rand(wanted.shape).to(wanted.dtype) for name, wanted in LAYOUT.items()}


@pytest.fixture
def small_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.detectors.mds.faithful_net.released_layout", lambda: LAYOUT)


pytestmark = pytest.mark.usefixtures("small_layout")


def test_bare_state_dict(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "in.pth")
    assert convert(tmp_path / "in.pth", tmp_path / "deep" / "out.safetensors") == len(state) == 134
    written = load_file(tmp_path / "deep" / "out.safetensors")
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in state.items())
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out.safetensors"], "a draft was left behind"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("key", ["state_dict", "net_state_dict"])
def test_checkpoint_of_the_authors_trainer(
    tmp_path: Path, state: dict[str, torch.Tensor], key: str, zipped: bool
) -> None:
    """As their train.py saves it: DataParallel names, optimiser, a NumPy scalar; old and new serialisation."""
    saved = {
        "epoch": 50,
        "net": "resnet18",
        key: {f"module.{name}": tensor for name, tensor in state.items()},
        "least_loss": np.float64(0.1234),
        "avg_score_real": torch.tensor(0.4, requires_grad=True) * 1,
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]},
        "iteration": 7,
    }
    torch.save(saved, tmp_path / "in.pth.tar", _use_new_zipfile_serialization=zipped)
    convert(tmp_path / "in.pth.tar", tmp_path / "out.safetensors")
    written = load_file(tmp_path / "out.safetensors")
    assert all(torch.equal(written[name], tensor) for name, tensor in state.items())


class Payload:
    """Creates a file when it is unpickled by an unguarded reader."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.arguments


class StatePayload:
    """Smuggles a call through the state of an allowed object."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload

    def __reduce__(self) -> tuple[Any, ...]:
        return np.dtype, ("f8", False, True), self.payload


def _scalar() -> Any:
    """NumPy's own unpickling function, where its version keeps it."""
    core = np._core if int(np.__version__.split(".")[0]) >= 2 else np.core
    return core.multiarray.scalar


def payloads(witness: Path) -> dict[str, Any]:
    return {
        "system": Payload(os.system, f"touch '{witness}'"),
        "open": Payload(builtins.open, str(witness), "w"),
        "exec": Payload(builtins.exec, f"open({str(witness)!r}, 'w').close()"),
        "eval": Payload(builtins.eval, f"open({str(witness)!r}, 'w').close()"),
        "state": StatePayload(Payload(builtins.open, str(witness), "w")),
        "scalar": Payload(_scalar(), np.dtype("f8"), Payload(builtins.open, str(witness), "w")),
    }


@pytest.mark.parametrize("kind", ["system", "open", "exec", "eval", "state", "scalar"])
def test_the_payloads_bite_when_unguarded(tmp_path: Path, kind: str) -> None:
    """Else the tests below would prove nothing."""
    witness = tmp_path / "witness"
    # the constructor may choke on the payload's result, after the payload has run
    with contextlib.suppress(TypeError, ValueError, SystemError):
        pickle.loads(pickle.dumps(payloads(witness)[kind]))
    assert witness.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("kind", ["system", "open", "exec", "eval", "state", "scalar"])
@pytest.mark.parametrize("form", ["zip", "legacy", "raw"])
def test_a_pickle_with_code_is_refused_and_runs_nothing(
    tmp_path: Path, state: dict[str, torch.Tensor], kind: str, form: str
) -> None:
    witness, source, target = tmp_path / "witness", tmp_path / "in.pth", tmp_path / "out.safetensors"
    hostile = {"epoch": payloads(witness)[kind], "state_dict": dict(list(state.items())[:3])}
    if form == "raw":
        source.write_bytes(pickle.dumps(hostile))
    else:
        torch.save(hostile, source, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CmdfdError, match=r"in\.pth.*refused"):
        convert(source, target)
    assert not witness.exists()
    assert not target.exists()


def test_code_under_an_unused_key_of_a_complete_checkpoint(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    witness = tmp_path / "witness"
    torch.save({"state_dict": state, "epoch": Payload(os.system, f"touch '{witness}'")}, tmp_path / "in.pth")
    with pytest.raises(CmdfdError, match="system"):
        convert(tmp_path / "in.pth", tmp_path / "out.safetensors")
    assert not witness.exists()


def spoiled(state: dict[str, torch.Tensor]) -> dict[str, tuple[dict[str, Any], str]]:
    name = "netcnnlip.layer3.0.conv1.weight"
    wrong = {key: copy.copy(state) for key in ("missing", "extra", "shape", "dtype", "nan", "inf", "sparse", "text")}
    del wrong["missing"][name]
    wrong["extra"]["lstm.weight"] = torch.zeros(2)
    wrong["shape"][name] = torch.zeros(3, 3, 3)
    wrong["dtype"][name] = state[name].double()
    wrong["nan"][name] = torch.full_like(state[name], torch.nan)
    wrong["inf"]["final_fc_lip.1.bias"] = torch.tensor([0.0, torch.inf])
    wrong["sparse"]["final_fc_lip.1.bias"] = torch.zeros(2).to_sparse()
    wrong["text"]["final_fc_lip.1.bias"] = "zeros"  # type: ignore[assignment]
    return {
        "missing": (
            wrong["missing"],
            r"1 tensors are missing, first 'netcnnlip\.layer3\.0\.conv1\.weight' .*3x3x3x3x3",
        ),
        "extra": (wrong["extra"], r"not part of the network, first 'lstm\.weight'"),
        "shape": (wrong["shape"], r"conv1\.weight' has shape 3x3x3, expected 3x3x3x3x3"),
        "dtype": (wrong["dtype"], r"is torch\.float64, expected torch\.float32"),
        "nan": (wrong["nan"], r"conv1\.weight' .*not finite"),
        "inf": (wrong["inf"], r"final_fc_lip\.1\.bias' .*not finite"),
        "sparse": (wrong["sparse"], r"not a plain tensor|refused"),
        "text": (wrong["text"], r"not a plain tensor"),
    }


@pytest.mark.parametrize("kind", ["missing", "extra", "shape", "dtype", "nan", "inf", "sparse", "text"])
def test_wrong_tensors_are_named(tmp_path: Path, state: dict[str, torch.Tensor], kind: str) -> None:
    tensors, message = spoiled(state)[kind]
    torch.save(tensors, tmp_path / "in.pth")
    with pytest.raises(CmdfdError, match=message) as caught:
        convert(tmp_path / "in.pth", tmp_path / "out.safetensors")
    assert "in.pth" in str(caught.value)
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_truncated_files(tmp_path: Path, state: dict[str, torch.Tensor], zipped: bool, share: float) -> None:
    torch.save({"state_dict": state}, tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "in.pth").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CmdfdError, match="refused"):
        convert(tmp_path / "in.pth", tmp_path / "out.safetensors")


@pytest.mark.parametrize("held", [[1, 2], 3.5, {}, {"epoch": 3}, {1: torch.zeros(2)}])
def test_files_without_a_state_dict(tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "in.pth")
    with pytest.raises(CmdfdError, match=r"in\.pth"):
        convert(tmp_path / "in.pth", tmp_path / "out.safetensors")


def test_a_name_with_and_without_prefix(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    twice = {**state, "module.final_fc_lip.1.bias": torch.zeros(2)}
    torch.save(twice, tmp_path / "in.pth")
    with pytest.raises(CmdfdError, match="twice"):
        convert(tmp_path / "in.pth", tmp_path / "out.safetensors")


def test_archives_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WEIGHTS_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "in.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", b"\0" * (4 << 20))
    assert (tmp_path / "in.pth").stat().st_size < 1 << 16
    with pytest.raises(CmdfdError, match="4194304 bytes unpacked"):
        load_pickle(tmp_path / "in.pth")


def test_names_on_the_command_line(
    tmp_path: Path, state: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(state, tmp_path / "in.pth")
    assert main([str(tmp_path / "in.pth"), str(tmp_path / "out.safetensors")]) == 0
    assert "134 tensors" in capsys.readouterr().out
    assert main([str(tmp_path / "absent.pth"), str(tmp_path / "out.safetensors")]) == 1
    assert "no such file" in capsys.readouterr().err
    assert main([str(tmp_path / "in.pth"), str(tmp_path / "out.bin")]) == 1
    assert "*.safetensors" in capsys.readouterr().err
