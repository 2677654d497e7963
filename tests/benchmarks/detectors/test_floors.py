"""The floors: what they must find, what they must not find, and their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import GradientBoostingClassifier

from benchmarks.check import Checker, check_detector
from benchmarks.detector import Detector, LabelledView
from benchmarks.detectors.floors import ContainerFloor, RandomFloor, RateFloor
from benchmarks.detectors.floors.encoding import encode, learn_encoding
from benchmarks.detectors.floors.trees import DEPTH, N_TREES, RATE, SUBSAMPLE, grow
from benchmarks.views import MemoryView
from cmdfd.audit.measure import CATALOGUE, CONTAINER_CUES, RATE_CUES
from cmdfd.clip import REAL, Labels
from cmdfd.errors import CmdfdError, MediaError
from cmdfd.statistics.bootstrap import bootstrap_auc
from cmdfd.statistics.roc import auc

FAKE = replace(REAL, label=1, video_label=1)
NOISY = [name for name in (*CONTAINER_CUES, *RATE_CUES) if name.startswith(("level.", "silence.", "rate."))]


def clips(
    n_components: int, seed: int, twins: str = "near", plant: dict[str, tuple[Any, Any]] | None = None
) -> list[LabelledView]:
    """Three takes for each component, each real and in four fakes, so 72 reals and 288 fakes in 24 components.

    Every cue of level, silence and rate follows the component and the take. A fake has its twin's values ("same"),
    those with a little noise ("near"), or those of another take of the component ("other").
    """
    rng = np.random.default_rng(seed)
    found = []
    for component in range(n_components):
        person = rng.normal(size=len(NOISY))
        for take in range(3):
            twin = person + rng.normal(size=len(NOISY))
            for k in range(5):
                label = int(k > 0)
                values = twin
                if label and twins == "near":
                    values = twin + rng.normal(scale=0.3, size=len(NOISY))
                elif label and twins == "other":
                    values = person + rng.normal(size=len(NOISY))
                cues: dict[str, Any] = {name: "x" if cue.categorical else 25.0 for name, cue in CATALOGUE.items()}
                cues |= dict(zip(NOISY, values.tolist(), strict=True))
                cues |= {name: pair[label] for name, pair in (plant or {}).items()}
                blank = np.zeros((1, 8, 8, 3), np.uint8)
                view = MemoryView(f"{component}-{take}-{k}", 25.0, 16000, blank, None, None, cues)
                found.append(LabelledView(view, FAKE if label else REAL, f"c{component}", "fake" if label else "real"))
    return found


def judged(floor: Any, test: list[LabelledView]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    scores = np.array([prediction.score for prediction in floor.predict(row.view for row in test)], dtype=float)
    return np.array([row.labels.label for row in test]), scores, [row.component for row in test]


def test_a_gap_of_32_against_96_ms_is_found() -> None:
    plant = {"time.av_gap": (32.0, 96.0)}
    floor = ContainerFloor().fit(clips(12, 0, plant=plant), [])
    labels, scores, _ = judged(floor, clips(12, 1, plant=plant))
    assert auc(labels, scores) == 1.0


@pytest.mark.parametrize(
    "plant",
    [
        {"container.encoder": ("none", "Lavf58")},
        {"level.rms": (-20.0, None)},  # only missing in fakes
        {"silence.lead_5e-4": (0.0, 0.05)},
    ],
)
def test_categories_missing_values_and_silence_are_found(plant: dict[str, tuple[Any, Any]]) -> None:
    floor = ContainerFloor().fit(clips(12, 0, plant=plant), [])
    labels, scores, _ = judged(floor, clips(12, 1, plant=plant))
    assert auc(labels, scores) > 0.99


def test_each_floor_sees_its_own_cues_only() -> None:
    plant: dict[str, tuple[Any, Any]] = {"rate.file_size": (1000.0, 9000.0)}
    train, test = clips(12, 0, plant=plant), clips(12, 1, plant=plant)
    labels, scores, _ = judged(RateFloor().fit(train, []), test)
    assert auc(labels, scores) == 1.0
    labels, scores, _ = judged(ContainerFloor().fit(train, []), test)
    assert 0.3 < auc(labels, scores) < 0.7
    assert not set(ContainerFloor.cue_names()) & set(RATE_CUES)


def test_twins_with_equal_cues_are_exactly_at_chance() -> None:
    labels, scores, _ = judged(ContainerFloor().fit(clips(12, 0, "same"), []), clips(12, 1, "same"))
    assert auc(labels, scores) == pytest.approx(0.5, abs=1e-9)


def test_constant_cues_give_a_constant_score() -> None:
    same = {name: ("x", "x") if cue.categorical else (1.0, 1.0) for name, cue in CATALOGUE.items()}
    floor = ContainerFloor().fit(clips(12, 0, plant=same), [])
    _, scores, _ = judged(floor, clips(3, 1, plant=same))
    # constant to the last bit; not exactly one half, since each tree sees a random 70 % of the clips
    assert len(set(scores)) == 1
    assert scores[0] == pytest.approx(0.5, abs=0.02)
    nothing = dict.fromkeys(CATALOGUE, (None, None))
    floor = ContainerFloor().fit(clips(12, 0, plant=nothing), [])
    _, scores, _ = judged(floor, clips(3, 1, plant=same))
    # constant to the last bit; not exactly one half, since each tree sees a random 70 % of the clips
    assert len(set(scores)) == 1
    assert scores[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("twins", ["near", "other"])
def test_a_null_set_stays_at_chance(twins: str) -> None:
    values, inside = [], 0
    for seed in range(30):
        floor = ContainerFloor(seed=seed).fit(clips(36, seed, twins), [])
        labels, scores, components = judged(floor, clips(24, 1000 + seed, twins))
        interval = bootstrap_auc(labels, scores, components, 300, seed=seed)
        values.append(auc(labels, scores))
        inside += interval.low >= 0.35 and interval.high <= 0.65  # type: ignore[operator]
    assert np.mean(values) == pytest.approx(0.5, abs=0.02)
    assert np.std(values) < 0.045
    assert inside >= 26


def test_trees_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 6)).astype(np.float32)
    labels = table[:, 0] + table[:, 1] ** 2 + rng.normal(size=300) > 1.2
    trees = grow(table, labels, seed=4)
    share = labels.mean()
    model = GradientBoostingClassifier(
        n_estimators=N_TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=SUBSAMPLE,
        min_samples_leaf=15,
        random_state=4,
    ).fit(table, labels, sample_weight=np.where(labels, 0.5 / share, 0.5 / (1 - share)))
    fresh = rng.normal(size=(200, 6)).astype(np.float32)
    np.testing.assert_allclose(trees.log_odds(fresh), model.decision_function(fresh), atol=1e-9)
    assert trees.n_parameters > N_TREES


def test_encoding_of_unknown_and_wrong_values() -> None:
    rows = [{"a": 1.0, "b": "x"}, {"a": 3.0, "b": "x"}, {"a": None, "b": "x"}, {"a": 2.0, "b": "rare"}]
    cues = learn_encoding(rows, ["a", "b", "never"])
    assert [cue.name for cue in cues] == ["a", "b"]
    table = encode(cues, [{"a": None, "b": "new"}, {"a": "text", "b": None}, {}, {"a": 7.0, "b": "x"}])
    assert table.tolist() == [[2, 1, 0, 1, 0], [2, 1, 0, 0, 1], [2, 1, 0, 0, 1], [7, 0, 1, 0, 0]]
    assert encode(cues, [{"a": float("inf"), "b": 3.0}]).tolist() == [[2, 1, 0, 1, 0]]


@pytest.mark.parametrize("name", ["floor:container", "floor:rate", "random"])
def test_floors_keep_the_promises_of_detectors(name: str) -> None:
    results = check_detector(name)
    # what knows no media cannot be asked which of two pictures is the fake; all else is tried
    wanted = {what.replace("_", " "): "ok" for what in Checker.PROMISES} | {"higher is fake": "skipped"}
    assert {result.name: result.status for result in results} == wanted, results


@pytest.mark.parametrize("kind", [ContainerFloor, RateFloor])
def test_save_and_load(kind: type[ContainerFloor], tmp_path: Path) -> None:
    floor = kind(seed=5).fit(clips(6, 0, "other"), [])
    floor.save(tmp_path)
    loaded = kind.load(tmp_path)
    assert isinstance(loaded, Detector)
    assert (loaded.seed, loaded.preset, loaded.n_parameters) == (5, "default", floor.n_parameters)
    np.testing.assert_array_equal(judged(loaded, clips(2, 1))[1], judged(floor, clips(2, 1))[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detector.json", "model.safetensors"]
    other = RateFloor if kind is ContainerFloor else ContainerFloor
    with pytest.raises(CmdfdError, match="holds"):
        other.load(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    ContainerFloor().fit(clips(6, 0, "other"), []).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t | {"left": np.zeros_like(t["left"])}, "leads back or nowhere"),
        (lambda t: t | {"right": t["right"] + 10**6}, "leads back or nowhere"),
        (lambda t: t | {"feature": t["feature"] + 10**6}, "does not exist"),
        (lambda t: t | {"roots": t["roots"] - 5}, "does not exist"),
        (lambda t: t | {"value": t["value"] * np.nan}, "not finite"),
        (lambda t: t | {"bias": np.zeros(0)}, "not finite"),
        (lambda t: t | {"value": t["value"][1:]}, "differ in length"),
        (lambda t: t | {"value": t["value"].astype(np.float32)}, "expected the vectors"),
        (lambda t: {k: v for k, v in t.items() if k != "left"}, "expected the vectors"),
        (lambda t: t | {"more": np.zeros(1)}, "expected the vectors"),
    ],
)
def test_damaged_trees_are_refused(saved: Path, change: Any, words: str) -> None:
    path = saved / "model.safetensors"
    save_file(change(load_file(path)), path)
    with pytest.raises(CmdfdError, match=words) as caught:
        ContainerFloor.load(saved)
    assert "model.safetensors" in str(caught.value)


def test_damaged_facts_are_refused(saved: Path) -> None:
    path = saved / "detector.json"
    facts = json.loads(path.read_text())
    for text in ("", "{", json.dumps(facts | {"extra": 1}), json.dumps(facts | {"schema_version": 2})):
        path.write_text(text)
        with pytest.raises(CmdfdError, match=r"detector\.json"):
            ContainerFloor.load(saved)
    (saved / "model.safetensors").write_bytes(b"\x80\x04pickle")
    path.write_text(json.dumps(facts))
    with pytest.raises(CmdfdError, match="not a safetensors file"):
        ContainerFloor.load(saved)


def test_refusals() -> None:
    with pytest.raises(CmdfdError, match="has not been fitted"):
        next(ContainerFloor().predict([clips(1, 0)[0].view]))
    with pytest.raises(CmdfdError, match="needs real and fake"):
        ContainerFloor().fit([row for row in clips(2, 0) if row.labels.label], [])


class Unreadable:
    """A view whose file is broken."""

    id = "broken"

    def headers(self) -> dict[str, float]:
        raise MediaError("decode_failed", "broken", "torn")


def test_unreadable_clips_get_error_rows_and_do_not_stop_a_fit(tmp_path: Path) -> None:
    broken: Any = Unreadable()
    unknown = replace(clips(1, 3)[0], labels=Labels(None, None, None, None, None))
    floor = ContainerFloor().fit([*clips(6, 0), LabelledView(broken, FAKE, "z", "fake"), unknown], [])
    first, second = floor.predict([broken, clips(1, 1)[0].view])
    assert (first.score, first.error) == (None, "decode_failed: torn")
    assert second.score is not None
    floor.save(tmp_path)
    assert json.loads((tmp_path / "detector.json").read_text())["n_unreadable"] == 1


def test_random_is_uniform_and_follows_the_seed_and_the_id(tmp_path: Path) -> None:
    views = [replace(clips(1, 0)[0].view, id=f"v{k}") for k in range(2000)]
    scores = np.array([prediction.score for prediction in RandomFloor(seed=1).predict(views)])
    assert (np.histogram(scores, 10, (0, 1))[0] > 140).all()
    assert scores.max() < 1
    again = np.array([prediction.score for prediction in RandomFloor(seed=1).predict(views[::-1])])[::-1]
    np.testing.assert_array_equal(scores, again)
    other = np.array([prediction.score for prediction in RandomFloor(seed=2).predict(views)])
    assert abs(np.corrcoef(scores, other)[0, 1]) < 0.1
    RandomFloor(seed=1).save(tmp_path)
    assert next(RandomFloor.load(tmp_path).predict(views[:1])).score == scores[0]
    (tmp_path / "detector.json").write_text("{}")
    with pytest.raises(CmdfdError, match="not the facts"):
        RandomFloor.load(tmp_path)
