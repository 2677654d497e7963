"""The presets `faithful` and `fixed`: fits, converted weights, and one score from pickle to answer at full size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.detector import Features, LabelledView, Prediction
from benchmarks.detectors.mds.detector import MDS
from benchmarks.detectors.mds.faithful_net import ReleasedNet
from cmdfd.clip import REAL, Labels
from cmdfd.errors import CmdfdError

SWAP = Labels(label=1, audio_label=1, video_label=0, sync_mismatch=1, identity_mismatch=None)
#: The released network at a size that trains in a second.
SMALL: dict[str, Any] = {
    "image_size": 32,
    "chunk_frames": 8,
    "fps": 8.0,
    "fc_width": 16,
    "embedding": 8,
    "threads": 1,
    "device": "cpu",
}


class ArrayView:
    """A view whose features are at hand, read-only as a cache may give them."""

    fps, sample_rate = 25.0, 16000

    def __init__(self, name: str, arrays: Features) -> None:
        self.id, self.arrays = name, arrays
        for array in arrays.values():
            array.flags.writeable = False

    def features(self) -> Features:
        return self.arrays


def scores_of(detector: MDS, views: list[LabelledView]) -> list[Prediction]:
    return list(detector.predict(v.view for v in views))


def same(a: Prediction, b: Prediction) -> bool:
    return (a.id, a.score, a.segments, a.error) == (b.id, b.score, b.segments, b.error)


def chunked(n: int, seed: int, chunks: int = 1) -> list[LabelledView]:
    """Chunks for the released network at 32 pixels: fakes are dark pictures with loud sound."""
    rng, found = np.random.default_rng(seed), []
    for k in range(n):
        for label in (0, 1):
            faces = rng.integers(0, 255 - 120 * label, (chunks, 8, 32, 32, 3)).astype(np.uint8)
            arrays = {"face": faces, "mfcc": rng.normal(3 * label, 1, (chunks, 13, 99)).astype(np.float32)}
            labels = SWAP if label else REAL
            view = ArrayView(f"{seed}-{k}-{label}", arrays)
            found.append(LabelledView(view, labels, f"{k}", "swap" if label else "real"))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("preset", ["faithful", "fixed"])
def test_released_presets_fit_predict_and_travel(preset: str, tmp_path: Path) -> None:
    views = chunked(2, 0)
    detector = MDS(preset=preset, seed=1, epochs=1, batch=4, **SMALL).fit(views, views)
    predictions = scores_of(detector, views)
    assert all(p.score is not None and p.score >= 0 and len(p.times) == 1 for p in predictions)  # type: ignore[arg-type]
    np.testing.assert_allclose(predictions[0].times, [0.5])  # type: ignore[arg-type]
    assert (detector.threshold == 0.6) is (preset == "faithful")
    if preset == "fixed":
        assert max(p.score for p in predictions) <= 2, "unit vectors are at most 2 apart"  # type: ignore[type-var]
    detector.save(tmp_path)
    loaded = MDS.load(tmp_path)
    assert all(same(a, b) for a, b in zip(predictions, scores_of(loaded, views), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["faithful", "fixed"])
def test_released_presets_repeat(preset: str) -> None:
    views = chunked(2, 0)
    first, again = (MDS(preset=preset, seed=1, epochs=1, batch=4, **SMALL).fit(views, views) for _ in range(2))
    assert all(same(a, b) for a, b in zip(scores_of(first, views), scores_of(again, views), strict=True))


def test_faithful_scores_converted_weights_without_a_fit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ReleasedNet(image_size=32, chunk_frames=8, fc_width=16, embedding=8)
    net.initialise()
    save_file(net.state_dict(), tmp_path / "mds.safetensors")
    views = chunked(1, 1, chunks=2)
    detector = MDS(preset="faithful", weights=str(tmp_path / "mds.safetensors"), **SMALL)
    net.eval()
    for labelled, prediction in zip(views, scores_of(detector, views), strict=True):
        arrays = labelled.view.features()
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        wanted = []
        for face, cepstra in zip(arrays["face"], arrays["mfcc"], strict=True):
            lip = torch.tensor(((face / 255 - mean) / std).transpose(3, 0, 1, 2)[None, None], dtype=torch.float32)
            with torch.inference_mode():
                output = net(lip, torch.tensor(cepstra)[None, None, None])
            wanted.append(torch.dist(output.lip, output.audio).item())
        assert prediction.score == pytest.approx(np.mean(wanted), rel=1e-4)
    assert detector.threshold == 0.6
    assert detector.record is not None and detector.record.trained_on == ("DFDC",)
    before = scores_of(detector, views)
    fitted = MDS(preset="faithful", weights=str(tmp_path / "mds.safetensors"), **SMALL).fit(views, views)
    assert all(same(a, b) for a, b in zip(before, scores_of(fitted, views), strict=True)), "fit changed the weights"
    tuned = MDS(
        preset="faithful", weights=str(tmp_path / "mds.safetensors"), finetune=True, epochs=1, batch=2, **SMALL
    ).fit(chunked(2, 3), views)
    assert not same(before[0], scores_of(tuned, views)[0])


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    net = ReleasedNet(image_size=32, chunk_frames=8, fc_width=16, embedding=8, running_stats=True)
    save_file(net.state_dict(), tmp_path / "mds.safetensors")
    detector = MDS(preset="faithful", weights=str(tmp_path / "mds.safetensors"), **SMALL)
    with pytest.raises(CmdfdError, match="not part of the network"):
        scores_of(detector, chunked(1, 1))


def test_released_network_needs_both_classes() -> None:
    reals = [v for v in chunked(3, 0) if not v.labels.label]
    with pytest.raises(CmdfdError, match="two real clips and a fake one"):
        MDS(preset="fixed", **SMALL).fit(reals, [])


@pytest.mark.slow
def test_full_size_released_weights_travel_from_pickle_to_score(tmp_path: Path) -> None:
    from benchmarks.detectors.mds.convert import convert

    torch.manual_seed(0)
    net = ReleasedNet()
    net.initialise()
    torch.save({"state_dict": {f"module.{n}": t for n, t in net.state_dict().items()}}, tmp_path / "mds.pth.tar")
    assert convert(tmp_path / "mds.pth.tar", tmp_path / "mds.safetensors") == 134
    rng = np.random.default_rng(0)
    arrays = {
        "face": rng.integers(0, 255, (1, 30, 224, 224, 3)).astype(np.uint8),
        "mfcc": rng.normal(0, 1, (1, 13, 99)).astype(np.float32),
    }
    (prediction,) = MDS(preset="faithful", weights=str(tmp_path / "mds.safetensors")).predict([ArrayView("v", arrays)])  # type: ignore[list-item]
    assert prediction.score is not None and prediction.score > 0
