"""A run as it could have been: two sets, four detectors, five kinds with grades, failures, few components."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import auc as sklearn_auc
from sklearn.metrics import average_precision_score, roc_curve

from benchmarks.report.timeline import TimelineItem
from benchmarks.results import (
    Comparison,
    DatasetInfo,
    DetectorInfo,
    Estimate,
    KindResult,
    RunResult,
    TaskResult,
    Threshold,
)

#: Kind -> grades and how far each lifts the score of the first detector.
KINDS: dict[str, dict[str, float]] = {
    "audio/swap": {"whole": 3.6, "splice": 1.9},
    "audio/desync": {"80 ms": 0.5, "160 ms": 1.4, "320 ms": 2.6},
    "audio/revoice": {"": 0.7},
    "video/mouth_warp": {"": 1.7},
    "video/face_swap": {"": 0.2},
}
DETECTORS = ("mds:mini", "random", "floor:container", "floor:rate")
FLOOR_COMPONENTS = 12


@dataclass(frozen=True)
class Names:
    """Names of everything that a stranger could have named."""

    main: str = "mds:mini"
    first_set: str = "mini-a"
    second_set: str = "mini-b"
    kind_prefix: str = ""
    error: str = "no_face: no face track was found"
    path: str = "sets/mini-a"
    run_id: str = "5f0c2a9be1d4"


@dataclass(frozen=True)
class Synthetic:
    """A result with its predictions."""

    result: RunResult
    predictions: pd.DataFrame


def detectors_of(names: Names) -> tuple[str, ...]:
    return (names.main, *DETECTORS[1:])


def make_predictions(names: Names = Names(), clips: int = 240, seed: int = 0) -> pd.DataFrame:
    """A predictions table; `clips` for each set, detector and condition."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for dataset, n_components, lift in ((names.first_set, 24, 1.0), (names.second_set, 8, 0.72)):
        facts = _clips(dataset, n_components, clips, rng, names)
        for detector in detectors_of(names):
            for condition in ("untrimmed", "trimmed") if detector == names.main else ("untrimmed",):
                rows += [_row(fact, detector, dataset, condition, lift, rng, names) for fact in facts]
    frame = pd.DataFrame(rows)
    frame["score"] = frame["score"].astype("float64")
    return frame


def _clips(dataset: str, n_components: int, clips: int, rng: np.random.Generator, names: Names) -> list[dict[str, Any]]:
    grades = [(kind, grade) for kind, found in KINDS.items() for grade in found]
    facts = []
    for number in range(clips):
        real = number % 3 == 0
        kind, grade = ("real", "") if real else grades[(number * 2 // 3) % len(grades)]
        if dataset == names.second_set and kind == "video/face_swap":
            kind, grade = "audio/revoice", ""
        component = number // 3 % n_components
        facts.append(
            {
                "id": f"{dataset}-{number:05d}",
                "sha256": f"{number:064x}",
                "label": int(not real),
                "kind": kind if real else names.kind_prefix + kind,
                "base": kind,
                "variant": grade,
                "component": f"{dataset}-c{component:02d}",
                "lift": 0.0 if real else KINDS[kind][grade],
                "shift": float(rng.normal(0, 0.3)),
                "duration": 3.0,
            }
        )
    return facts


def _row(
    fact: dict[str, Any],
    detector: str,
    dataset: str,
    condition: str,
    lift: float,
    rng: np.random.Generator,
    names: Names,
) -> dict[str, Any]:
    strength = {names.main: lift, "random": 0.0, "floor:container": 0.03, "floor:rate": 0.16}[detector]
    loss = 0.93 if condition == "trimmed" else 1.0
    score = 1 / (1 + math.exp(-(fact["lift"] * strength * loss + fact["shift"] + float(rng.normal(0, 0.75)) - 1.2)))
    failed = detector == names.main and rng.random() < 0.012
    times = [round(0.1 + 0.2 * step, 3) for step in range(15)] if detector == names.main and not failed else None
    return {
        **{key: value for key, value in fact.items() if key not in {"lift", "shift", "base"}},
        "detector": detector,
        "dataset": dataset,
        "split": "test",
        "condition": condition,
        "score": None if failed else score,
        "error": names.error if failed else None,
        "times": times,
        "frame_scores": None if times is None else [score] * len(times),
        "segments": [],
        "true_segments": [{"start": 0.0, "end": 3.0, "modality": "audio"}] if fact["label"] else [],
    }


METRIC_NAMES = ("auc", "eer", "ap", "balanced_accuracy", "tpr@1%fpr")


def metrics(table: pd.DataFrame, threshold: float) -> dict[str, Estimate]:
    """Values by scikit-learn, intervals by a normal approximation: enough to look like a result."""
    labels = table["label"].to_numpy()
    scores = table["score"].to_numpy(np.float64)
    scores = np.where(np.isfinite(scores), scores, np.where(labels == 1, -1e9, 1e9))
    n_components = table["component"].nunique()
    doubt = f"only {n_components} components" if n_components < FLOOR_COMPONENTS else None
    if len(set(labels)) < 2:
        return {name: Estimate(value=None, unreliable="one class only") for name in METRIC_NAMES}
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    called = scores >= threshold
    values = {
        "auc": sklearn_auc(fpr, tpr),
        "eer": fpr[np.argmin(np.abs(1 - tpr - fpr))],
        "ap": average_precision_score(labels, scores),
        "balanced_accuracy": (called[labels == 1].mean() + (~called)[labels == 0].mean()) / 2,
        "tpr@1%fpr": tpr[fpr <= 0.01].max(),
    }
    return {name: _estimate(float(value), n_components, doubt) for name, value in values.items()}


def _estimate(value: float, n_components: int, doubt: str | None) -> Estimate:
    error = 1.96 * math.sqrt(max(value * (1 - value), 1e-4) / (2 * n_components))
    return Estimate(value=value, low=max(value - error, 0), high=min(value + error, 1), unreliable=doubt)


def make_tasks(predictions: pd.DataFrame, names: Names) -> list[TaskResult]:
    kinds = [set(group["kind"]) - {"real"} for _, group in predictions.groupby("dataset")]
    shared = sorted(set.intersection(*kinds))
    tasks = []
    for (detector, dataset, split, condition), table in predictions.groupby(
        ["detector", "dataset", "split", "condition"], sort=False
    ):
        real, fake = table[table["label"] == 0], table[table["label"] == 1]
        threshold = 0.41
        rows = []
        for kind in sorted(set(fake["kind"])):
            of_kind = fake[fake["kind"] == kind]
            grades = sorted(set(of_kind["variant"]) - {""}, key=lambda text: (len(text), text))
            for variant in (None, *(grades if len(grades) > 1 else ())):
                some = of_kind if variant is None else of_kind[of_kind["variant"] == variant]
                both = pd.concat([real, some])
                rows.append(
                    KindResult(
                        kind=kind,
                        variant=variant,
                        n_real=len(real),
                        n_fake=len(some),
                        n_components=both["component"].nunique(),
                        n_failed=int(both["score"].isna().sum()),
                        metrics=metrics(both, threshold),
                    )
                )
        domain = "unknown"
        if detector == names.main:
            domain = "in" if dataset == names.first_set else "cross"
        tasks.append(
            TaskResult(
                detector=detector,
                dataset=dataset,
                split=split,
                condition=condition,
                domain=domain,
                n_real=len(real),
                n_fake=len(fake),
                n_failed=int(table["score"].isna().sum()),
                n_components=table["component"].nunique(),
                base_rate=len(fake) / len(table),
                threshold=Threshold(value=threshold, chosen_on=f"{names.first_set}/validation"),
                pooled=metrics(table, threshold),
                kinds=rows,
                shared_kinds=metrics(table[(table["label"] == 0) | table["kind"].isin(shared)], threshold),
            )
        )
    return tasks


def make_comparisons(tasks: list[TaskResult], names: Names) -> list[Comparison]:
    inside = next(t for t in tasks if t.detector == names.main and t.domain == "in" and t.condition == "untrimmed")
    cross = next(t for t in tasks if t.detector == names.main and t.domain == "cross" and t.condition == "untrimmed")
    one, other = inside.shared_kinds["auc"], cross.shared_kinds["auc"]
    gap = Estimate(
        value=one.value - other.value, low=one.value - other.value - 0.09, high=one.value - other.value + 0.09,
        unreliable="only 8 components",
    )  # fmt: skip
    verdict = (
        f"No clear gap between {names.first_set} and {names.second_set}: {gap.value:+.3f} "
        f"[{gap.low:+.3f}, {gap.high:+.3f}] holds 0."
    )
    return [
        Comparison(
            detector=names.main,
            in_set=f"{names.first_set}/test",
            cross_set=f"{names.second_set}/test",
            kinds=["audio/desync", "audio/revoice", "audio/swap", "video/mouth_warp"],
            in_auc=one,
            cross_auc=other,
            gap=gap,
            verdict=verdict,
        )
    ]


def make_result(predictions: pd.DataFrame, names: Names = Names(), *, seeds: bool = True) -> RunResult:
    tasks = make_tasks(predictions, names)
    counts = {"real": 80, **{names.kind_prefix + kind: 32 for kind in KINDS}}
    half = {kind: count // 2 for kind, count in counts.items()}
    spread = {
        f"{names.first_set}/test": {"auc": [0.871, 0.862, 0.884], "mean": 0.8723, "std": 0.0111, "seeds": [0, 1, 2]}
    }
    infos = [
        DetectorInfo(
            name=name,
            preset="mini" if name == names.main else "default",
            revision=f"{index:024x}",
            n_parameters=221_000 if index == 0 else 0,
            trained_on=[f"{names.first_set}/train"] if index == 0 else [],
            selected_on=[f"{names.first_set}/validation"] if index == 0 else [],
            reference="Chugh et al., ACM MM 2020, arXiv 2005.14405" if index == 0 else "",
            licence="Apache-2.0",
            fit_seconds=93.4 if index == 0 else None,
        )
        for index, name in enumerate(detectors_of(names))
    ]
    return RunResult(
        status="success",
        run_id=names.run_id,
        created="2026-03-01T12:00:00Z",
        command=["python", "-m", "benchmarks.run", "--detector", names.main.partition(":")[0], "--seed", "0"],
        detectors=infos,
        datasets=[
            DatasetInfo(
                name=names.first_set,
                path=names.path,
                manifest_sha256="a" * 64,
                counts={"train": counts, "validation": half, "test": counts},
                skipped={names.error: 3, "too_short: 11 frames of 75": 1},
                components={"train": 24, "validation": 12, "test": 24},
            ),
            DatasetInfo(
                name=names.second_set,
                path="sets/mini-b",
                manifest_sha256="b" * 64,
                counts={"test": counts},
                components={"test": 8},
            ),
        ],
        tasks=tasks,
        comparisons=make_comparisons(tasks, names),
        seed_spread=spread if seeds else None,
        config={"seed": 0, "limit": None, "report_on": [f"{names.first_set}/test", f"{names.second_set}/test"]},
        environment={"python": "3.11.9", "platform": "Linux", "packages": {"torch": "2.13", "numpy": "2.4"}},
        timing={"build": 84.2, "fit": 93.4, "predict": 31.0, "judge": 4.4},
        predictions_sha256="c" * 64,
    )


def make_run(names: Names = Names(), clips: int = 240, *, seeds: bool = True) -> Synthetic:
    predictions = make_predictions(names, clips)
    return Synthetic(make_result(predictions, names, seeds=seeds), predictions)


def face(size: int, opening: float, skin: float) -> np.ndarray:
    """A face of three ellipses on a soft background: enough to see whether a strip is the right way up."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    image = np.stack([90 + 40 * y, 105 + 30 * y, 125 + 25 * x], axis=-1)
    parts = (
        ((0.0, 0.05, 0.55, 0.75), (225 - 70 * skin, 180 - 70 * skin, 150 - 70 * skin)),
        ((-0.22, -0.1, 0.1, 0.06), (250, 250, 250)),
        ((0.22, -0.1, 0.1, 0.06), (250, 250, 250)),
        ((-0.22, -0.1, 0.045, 0.05), (40, 30, 25)),
        ((0.22, -0.1, 0.045, 0.05), (40, 30, 25)),
        ((0.0, 0.42, 0.2, 0.05 + 0.1 * opening), (120, 45, 50)),
        ((0.0, -0.62, 0.58, 0.25), (60, 42, 30)),
    )
    for (cx, cy, rx, ry), colour in parts:
        image[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1] = colour
    noise = np.random.default_rng(int(opening * 1000)).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def make_item(
    kind: str = "audio/swap",
    *,
    title: str = "mini-a: audio/swap (splice)",
    dataset: str = "mini-a",
    seed: int = 0,
    **changes: Any,
) -> TimelineItem:
    rng = np.random.default_rng(seed)
    times = np.arange(0.1, 3.0, 0.2)
    forged = kind not in {"real", ""}
    bump = 0.55 * np.exp(-(((times - 1.6) / 0.35) ** 2)) if forged else 0.0
    scores = 0.25 + bump + rng.normal(0, 0.03, times.size)
    start, end = (1.2, 2.0)
    syllables = np.abs(np.sin(np.linspace(0, 24, 400))) * np.linspace(0.2, 1, 400) * rng.uniform(0.5, 1, 400)
    fields: dict[str, Any] = {
        "title": title,
        "dataset": dataset,
        "kind": kind,
        "detector": "mds:mini",
        "frames": [face(160, float(abs(math.sin(2.1 * i))), seed % 5 / 5) for i in range(8)],
        "frame_times": [i * 2.96 / 7 for i in range(8)],
        "envelope": syllables.astype(np.float32),
        "times": times,
        "frame_scores": scores,
        "threshold": 0.41,
        "true_segments": [{"start": start, "end": end, "modality": "audio"}] if forged else [],
        "predicted_segments": [{"start": 1.3, "end": 1.9, "modality": "audio", "confidence": 0.81}] if forged else [],
        "duration": 3.0,
        "score": 0.683 if forged else 0.27,
        "domain": "in",
        "threshold_origin": "mini-a/validation",
    }
    return TimelineItem(**{**fields, **changes})


def make_items(count: int = 8) -> list[TimelineItem]:
    kinds = ["real", *KINDS]
    return [
        make_item(kinds[i % len(kinds)], title=f"mini-{'ab'[i // len(kinds) % 2]}: {kinds[i % len(kinds)]}", seed=i)
        for i in range(count)
    ]
