"""The detector's manners: repeatable, independent of its batch, honest about failures, safe on disk."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from benchmarks.detector import Detector, Features, Featuriser, LabelledView, Prediction
from benchmarks.detectors.mds.detector import MDS
from cmdfd.clip import REAL, Labels, Modality, Segment, sha256_file
from cmdfd.errors import CmdfdError, MediaError
from cmdfd.statistics.roc import auc

#: A network and a fit that take a second or two.
TINY: dict[str, Any] = {
    "crop_width": 32,
    "crop_height": 24,
    "embedding": 16,
    "steps": 30,
    "real_clips": 8,
    "fake_clips": 2,
    "window_frames": 40,
    "evaluations": 2,
    "threads": 1,
}
SWAP = Labels(label=1, audio_label=1, video_label=0, sync_mismatch=1, identity_mismatch=None)


class ArrayView:
    """A view whose features are at hand, as the harness's cache gives them."""

    fps, sample_rate = 25.0, 16000

    def __init__(self, name: str, arrays: Features | MediaError) -> None:
        self.id, self.arrays = name, arrays

    def features(self) -> Features:
        if isinstance(self.arrays, MediaError):
            raise self.arrays
        return self.arrays


def envelope(rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    kernel = np.hanning(17)
    smooth = np.convolve(rng.normal(size=frames * 4 + 40), kernel / kernel.sum(), "same")[20:-20]
    return 1 / (1 + np.exp(-2 * (smooth - smooth.mean()) / smooth.std()))


def moving_bar(rng: np.random.Generator, loudness: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A dark bar on grey whose height follows the loudness."""
    rows, height = np.arange(24)[None, :, None], loudness.reshape(-1, 4).mean(1)[:, None, None]
    dark = np.clip(1 + 1 + 7 * height - np.abs(rows - 12 - rng.uniform(-1, 1)), 0, 1)
    picture = 140 - 110 * dark * (np.abs(np.arange(32) - 16) < 10) + rng.normal(0, 5, (len(height), 24, 32))
    return np.clip(picture, 0, 255).astype(np.uint8)


def bands(rng: np.random.Generator, loudness: NDArray[np.float64]) -> NDArray[np.float16]:
    colour = rng.uniform(0.5, 1.5, 40)
    return (np.log(loudness[:, None] * colour + 0.05) + rng.normal(0, 0.1, (len(loudness), 40))).astype(np.float16)


def corpus(n: int, seed: int, frames: int = 60) -> list[LabelledView]:
    """n people, each with a real clip, a clip with another sound, and one whose sound changes after 1.2 s."""
    rng, found = np.random.default_rng(seed), []
    for k in range(n):
        own, other = envelope(rng, frames), envelope(rng, frames)
        mouth, mixed = moving_bar(rng, own), np.concatenate([own[:120], other[120:]])
        partial = (Segment(1.2, frames / 25, Modality.AUDIO),)
        for kind, sound, labels, segments in (
            ("real", own, REAL, ()),
            ("swap", other, SWAP, ()),
            ("partial", mixed, SWAP, partial),
        ):
            view = ArrayView(f"{seed}-{k}-{kind}", {"mouth": mouth, "mel": bands(rng, sound)})
            found.append(LabelledView(view, labels, f"{seed}-{k}", kind, segments))  # type: ignore[arg-type]
    return found


TRAIN, SELECT, TEST = corpus(24, 1), corpus(6, 2), corpus(12, 3)


@pytest.fixture(scope="module")
def fitted() -> MDS:
    return MDS(seed=3, **TINY).fit(TRAIN, SELECT)


def scores_of(detector: MDS, views: list[LabelledView]) -> list[Prediction]:
    return list(detector.predict(v.view for v in views))


def same(a: Prediction, b: Prediction) -> bool:
    return (a.id, a.score, a.segments, a.error) == (b.id, b.score, b.segments, b.error)


def test_contracts_hold() -> None:
    detector = MDS()
    assert isinstance(detector, Detector) and isinstance(detector, Featuriser)
    assert (detector.preset, detector.seed) == ("mini", 0)
    assert detector.spec.name == "mds" and detector.spec.presets[0] == "mini"


def test_parameter_counts() -> None:
    assert 0.2e6 <= MDS().n_parameters <= 0.4e6
    assert MDS(preset="faithful").n_parameters == MDS(preset="fixed").n_parameters == pytest.approx(122.78e6, rel=1e-4)


def test_constructor_only_stores_and_use_refuses_wrong_options() -> None:
    with pytest.raises(CmdfdError, match="did you mean 'margin'"):
        MDS(margn=1).feature_config()
    with pytest.raises(CmdfdError, match="did you mean 'faithful'"):
        MDS(preset="faithfull").feature_config()
    with pytest.raises(CmdfdError, match=r"option steps = 0"):
        MDS(steps=0).fit(TRAIN, SELECT)
    with pytest.raises(CmdfdError, match="fit or load first"):
        scores_of(MDS(), TEST)


def test_feature_config_changes_with_what_changes_the_arrays_only() -> None:
    base = MDS().feature_config()
    assert json.loads(json.dumps(base)) == base
    assert MDS(seed=9, steps=5, margin=1.0).feature_config() == base
    assert MDS(crop_width=32).feature_config() != base
    assert MDS(preset="fixed").feature_config() == MDS(preset="faithful").feature_config() != base


def test_learns_dissonance(fitted: MDS) -> None:
    predictions = scores_of(fitted, TEST)
    kinds = np.array([v.kind for v in TEST])
    values = np.array([p.score for p in predictions])
    for kind, least in (("swap", 0.9), ("partial", 0.7)):
        chosen = np.isin(kinds, ("real", kind))
        assert auc((kinds[chosen] != "real").astype(int), values[chosen]) >= least
    assert fitted.threshold is not None
    called = values[kinds != "partial"] >= fitted.threshold
    assert (called == (kinds[kinds != "partial"] == "swap")).mean() >= 0.75


def test_names_the_forged_stretch(fitted: MDS) -> None:
    """Windows wholly inside the forged end lie above the windows wholly before it."""
    hits = []
    for labelled, prediction in zip(TEST, scores_of(fitted, TEST), strict=True):
        if labelled.kind == "partial":
            assert prediction.times is not None and prediction.frame_scores is not None
            before, after = prediction.times <= 0.7, prediction.times >= 1.7
            hits.append(prediction.frame_scores[after].mean() > prediction.frame_scores[before].mean())
    assert np.mean(hits) >= 0.8
    for prediction in scores_of(fitted, TEST):
        assert all(0 <= s.segment.start < s.segment.end <= 60 / 25 for s in prediction.segments)


def test_frame_scores_are_the_sequence_behind_the_score(fitted: MDS) -> None:
    for prediction in scores_of(fitted, TEST[:5]):
        assert prediction.frame_scores is not None and prediction.times is not None
        assert prediction.score == pytest.approx(prediction.frame_scores.mean())
        np.testing.assert_allclose(prediction.times, 0.5 + 0.2 * np.arange(8), atol=1e-9)


def test_same_seed_same_numbers_other_seed_others() -> None:
    torch.manual_seed(123)
    brief = {**TINY, "steps": 4}
    first = MDS(seed=3, **brief).fit(TRAIN, SELECT)
    torch.manual_seed(321)
    np.random.seed(1)  # noqa: NPY002 - on purpose: the global state must not matter
    again = MDS(seed=3, **brief).fit(TRAIN, SELECT)
    assert all(same(a, b) for a, b in zip(scores_of(first, TEST), scores_of(again, TEST), strict=True))
    other = MDS(seed=4, **brief).fit(TRAIN, SELECT)
    assert scores_of(other, TEST)[0].score != scores_of(first, TEST)[0].score


def test_fit_and_predict_leave_torch_as_it_was(fitted: MDS) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    MDS(**{**TINY, "steps": 1, "threads": threads + 1}).fit(TRAIN[:6], SELECT[:3])
    scores_of(fitted, TEST[:1])
    assert torch.equal(torch.rand(3), wanted)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_score_does_not_depend_on_the_other_clips(fitted: MDS) -> None:
    together = scores_of(fitted, TEST)
    alone = [scores_of(fitted, [view])[0] for view in TEST]
    back = scores_of(fitted, TEST[::-1])[::-1]
    assert all(same(a, b) and same(a, c) for a, b, c in zip(together, alone, back, strict=True))


def test_predict_is_lazy_and_in_order(fitted: MDS) -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield TEST[0].view
            yield TEST[1].view

    stream = fitted.predict(endless())
    assert [next(stream).id for _ in range(3)] == [TEST[0].view.id, TEST[1].view.id, TEST[0].view.id]


@pytest.mark.parametrize("code", ["no_audio", "no_face", "too_short", "decode_failed"])
def test_unusable_clips_keep_their_row(fitted: MDS, code: str) -> None:
    broken = ArrayView("broken", MediaError(code, "broken", "for a reason"))
    first, second, third = fitted.predict([TEST[0].view, broken, TEST[1].view])  # type: ignore[list-item]
    assert (second.id, second.score, second.error) == ("broken", None, f"{code}: for a reason")
    assert first.score is not None and third.score is not None


def test_unusable_training_clips_are_counted() -> None:
    broken = [LabelledView(ArrayView("b", MediaError("no_face", "b")), REAL, "b", "real")]  # type: ignore[arg-type]
    unlabelled = [LabelledView(TRAIN[0].view, Labels(None, None, None, None, None), "u", "?")]
    detector = MDS(**{**TINY, "steps": 1}).fit([*TRAIN, *broken, *unlabelled], SELECT)
    assert detector.record is not None
    assert detector.record.details["dropped"] == {"train": {"no_face": 1, "no_label": 1}, "select": {}}
    assert {"b", "u", "1-0", "2-5"} <= set(detector.record.components)


@pytest.mark.parametrize("kinds", [("swap",), ()])
def test_training_without_reals_is_refused(kinds: tuple[str, ...]) -> None:
    with pytest.raises(CmdfdError, match="at least two real clips"):
        MDS(**TINY).fit([v for v in TRAIN if v.kind in kinds], SELECT)


def test_training_without_fakes_still_learns() -> None:
    """Mismatches made from the reals are enough for the contrastive term."""
    detector = MDS(seed=1, **TINY).fit([v for v in TRAIN if v.kind == "real"], SELECT)
    test = [v for v in TEST if v.kind != "partial"]
    values = [p.score for p in scores_of(detector, test)]
    assert auc([v.labels.label for v in test], values) >= 0.8


def test_empty_selection_set_gives_no_threshold() -> None:
    detector = MDS(**{**TINY, "steps": 1}).fit(TRAIN, [])
    assert detector.threshold is None and detector.window_threshold is None
    assert scores_of(detector, TEST)[0].segments == ()


def test_progress_is_told_every_step() -> None:
    told: list[tuple[int, int, str]] = []
    MDS(**{**TINY, "steps": 4}).fit(TRAIN, SELECT[:6], lambda done, total, note="": told.append((done, total, note)))
    assert [row[:2] for row in told] == [(k, 4) for k in range(1, 5)]
    assert any("AUC" in row[2] for row in told)


def test_saving_and_loading_keeps_everything(fitted: MDS, tmp_path: Path) -> None:
    fitted.save(tmp_path / "new")
    loaded = MDS.load(tmp_path / "new")
    assert (loaded.preset, loaded.seed, loaded.options) == (fitted.preset, fitted.seed, fitted.options)
    assert loaded.record == fitted.record and loaded.threshold == fitted.threshold
    assert all(same(a, b) for a, b in zip(scores_of(fitted, TEST), scores_of(loaded, TEST), strict=True))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["detector.json", "model.safetensors"]
    loaded.save(tmp_path / "again")
    for name in ("detector.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "new" / name).read_bytes()


def test_a_fitted_detector_survives_pickling(fitted: MDS) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    assert same(scores_of(copy, TEST[:1])[0], scores_of(fitted, TEST[:1])[0])


def spoil_facts(folder: Path, **changes: Any) -> None:
    path = folder / "detector.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def spoil_weights(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, folder / "model.safetensors")
    spoil_facts(folder, weights_sha256=sha256_file(folder / "model.safetensors"))


HOSTILE_FACTS: list[tuple[dict[str, Any], str]] = [
    ({"schema_version": 99}, "schema_version 99"),
    ({"surprise": 1}, "surprise"),
    ({"detector": "ecl"}, "detector"),
    ({"preset": "huge"}, "no preset 'huge'"),
    ({"options": {"embedding": 10**9}}, "embedding = 1000000000"),
    ({"options": {"preset": "fixed"}}, "no option 'preset'"),
    ({"preset": "fixed", "options": {"weights": "/etc/hostname"}}, "brings its own weights"),
    ({"weights_sha256": "0" * 64}, "SHA-256"),
    ({"threshold": "high"}, "threshold"),
    ({"record": {"detector": "mds"}}, "record"),
]


@pytest.mark.parametrize(("changes", "message"), HOSTILE_FACTS)
def test_hostile_facts_are_refused(fitted: MDS, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    fitted.save(tmp_path)
    spoil_facts(tmp_path, **changes)
    with pytest.raises(CmdfdError, match=message) as caught:
        MDS.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"schema_version": 1}', '{"threshold": NaN}'])
def test_broken_json_is_refused(fitted: MDS, tmp_path: Path, text: str) -> None:
    fitted.save(tmp_path)
    (tmp_path / "detector.json").write_text(text)
    with pytest.raises(CmdfdError, match=r"detector\.json"):
        MDS.load(tmp_path)


def other_tensors(tensors: dict[str, torch.Tensor], kind: str, name: str) -> dict[str, torch.Tensor]:
    changes = {
        "missing": {},
        "extra": {name: tensors[name], "other": torch.zeros(1)},
        "shape": {name: torch.zeros(16, 3, 5)},
        "dtype": {name: tensors[name].half()},
        "nan": {name: torch.full_like(tensors[name], torch.nan)},
    }
    return {**{key: t for key, t in tensors.items() if key != name}, **changes[kind]}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", r"'picture\.0\.0\.weight' .*16x3x5x5"),
        ("extra", "'other'"),
        ("shape", r"'picture\.0\.0\.weight' has shape 16x3x5, expected 16x3x5x5"),
        ("dtype", r"'picture\.0\.0\.weight' is torch\.float16, expected torch\.float32"),
        ("nan", r"'picture\.0\.0\.weight' .*16x3x5x5.* not finite"),
    ],
)
def test_hostile_tensors_are_refused(fitted: MDS, tmp_path: Path, kind: str, message: str) -> None:
    fitted.save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    spoil_weights(tmp_path, other_tensors(tensors, kind, "picture.0.0.weight"))
    with pytest.raises(CmdfdError, match=message) as caught:
        MDS.load(tmp_path)
    assert "model.safetensors" in str(caught.value)


@pytest.mark.parametrize("kind", ["pickle", "truncated", "absent"])
def test_files_that_are_no_safetensors_are_refused(fitted: MDS, tmp_path: Path, kind: str) -> None:
    fitted.save(tmp_path)
    path = tmp_path / "model.safetensors"
    if kind == "absent":
        path.unlink()
    else:
        data = path.read_bytes()[:-100]
        torch.save({"a": torch.zeros(2)}, path) if kind == "pickle" else path.write_bytes(data)
        spoil_facts(tmp_path, weights_sha256=sha256_file(path))
    with pytest.raises(
        CmdfdError, match=r"model\.safetensors: (not a readable safetensors file|there is no such file)"
    ):
        MDS.load(tmp_path)
