"""Every number of `leaderboard.json` once more, from the raw files of a board, by the plainest means there are.

Nothing of `leaderboards` or `cmdfd.statistics` is called: files are read with pandas and a YAML reader, AUC and EER are
those of scikit-learn, draws are weighted one by one. Localization is asked of `benchmarks.metrics`. It holds for boards
whose submissions name sets as the board does. By hand: `python tests/leaderboards/recomputed.py BOARD_FOLDER`.

How draws are seeded: the seed of a set is the first 8 bytes (big-endian) of SHA-256 of "<seed of the rules>:<set>",
halved. `numpy.random.default_rng` of it draws each stratum in turn (components with reals only, fakes only, both; by
name within a stratum): [draws, size] numbers below the size, each one component.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

FEWEST = 12
EQUAL = 1e-12
Number = dict[str, Any]


@dataclass(frozen=True, eq=False)
class SetUp:
    """A set with its draws."""

    truth: pd.DataFrame
    weights: np.ndarray  # [draws, clips]
    seed: int

    @property
    def fake(self) -> np.ndarray:
        return self.truth["label"].to_numpy() == 1


def set_up(truth: pd.DataFrame, name: str, rules: dict[str, Any]) -> SetUp:
    truth = truth.sort_values("id").reset_index(drop=True)
    seed = int.from_bytes(hashlib.sha256(f"{rules['seed']}:{name}".encode()).digest()[:8], "big") // 2
    rng = np.random.default_rng(seed)
    classes = truth.groupby("component")["label"].agg(lambda one: (0 in set(one)) + 2 * (1 in set(one)))
    counts = pd.DataFrame(0, index=range(rules["draws"]), columns=sorted(classes.index))
    for stratum in (1, 2, 3):
        members = sorted(classes.index[classes == stratum])
        if members:
            picks = rng.integers(0, len(members), size=(rules["draws"], len(members)))
            for place, member in enumerate(members):
                counts[member] = (picks == place).sum(axis=1)
    return SetUp(truth, counts[truth["component"]].to_numpy(dtype=float), seed)


def number(value: float, draws: np.ndarray, level: float, fewest: int) -> Number:
    """A value with an expanded percentile interval (Hesterberg, 2015)."""
    if math.isnan(value):
        return {"value": None, "low": None, "high": None}
    tail = (1 - level) / 2
    if fewest > 1:
        t = stats.t.ppf(tail, fewest - 1)
        tail = stats.norm.cdf(t * math.sqrt(fewest / (fewest - 1)))
    low, high = pd.Series(draws).dropna().quantile([tail, 1 - tail])
    return {"value": value, "low": low, "high": high}


def fewest_of(truth: pd.DataFrame) -> int:
    return min(truth.loc[truth["label"] == label, "component"].nunique() for label in (0, 1))


def doubtful(truth: pd.DataFrame) -> bool:
    return truth["component"].nunique() < FEWEST or fewest_of(truth) < FEWEST


def worst_of_class(scores: pd.Series, fake: np.ndarray) -> np.ndarray:
    """A failed fake scores below, a failed real above everything."""
    values = scores.to_numpy(dtype=float)
    low, high = np.nanmin(values) - 1, np.nanmax(values) + 1
    return np.where(np.isnan(values), np.where(fake, low, high), values)


@dataclass(frozen=True, eq=False)
class Aucs:
    value: float
    draws: np.ndarray


def auc(scores: np.ndarray, at: SetUp, kept: np.ndarray) -> Aucs:
    fakes, reals = kept & at.fake, kept & ~at.fake
    if not fakes.any() or not reals.any():
        return Aucs(math.nan, np.full(len(at.weights), math.nan))
    wins = np.sign(scores[fakes][:, None] - scores[reals][None, :]) / 2 + 0.5
    with np.errstate(invalid="ignore"):
        pairs = at.weights[:, fakes].sum(axis=1) * at.weights[:, reals].sum(axis=1)
        draws = ((at.weights[:, fakes] @ wins) * at.weights[:, reals]).sum(axis=1) / pairs
    return Aucs(float(roc_auc_score(at.fake[kept], scores[kept])), draws)


def eer(fpr: np.ndarray, tpr: np.ndarray) -> float:
    """Where the curve, joined by straight lines, meets fpr = 1 - tpr."""
    gap = fpr + tpr - 1
    right = int(np.argmax(gap >= 0))
    share = -gap[right - 1] / (gap[right] - gap[right - 1])
    return float(fpr[right - 1] + share * (fpr[right] - fpr[right - 1]))


def eers(scores: np.ndarray, at: SetUp) -> Aucs:
    fpr, tpr, _ = roc_curve(at.fake, scores, drop_intermediate=False)
    thresholds, block = np.unique(-scores, return_inverse=True)
    at_threshold = np.eye(len(thresholds))[block]
    curves = [((at.weights * kept) @ at_threshold).cumsum(axis=1) for kept in (~at.fake, at.fake)]
    start = np.zeros((len(at.weights), 1))
    rates = [np.hstack([start, one / one[:, -1:]]) for one in curves]
    return Aucs(eer(fpr, tpr), np.array([eer(*pair) for pair in zip(*rates, strict=True)]))


class Recomputed:
    """A board once more.

    Args:
        folder: Of the board.
        rules: As data; the board names their version.
    """

    def __init__(self, folder: Path, rules: dict[str, Any]) -> None:
        self.rules, self.folder = rules, folder
        self.board = YAML(typ="safe").load((folder / "board.yaml").read_text("utf-8"))
        self.sets = {
            one["name"]: set_up(pd.read_parquet(folder / one["truth"]), one["name"], rules)
            for one in self.board["sets"]
        }
        paths = sorted((folder / "submissions").glob("*.yaml"))
        self.systems = {path.stem: YAML(typ="safe").load(path.read_text("utf-8")) for path in paths}
        self.tables = {slug: pd.read_parquet(folder / "submissions" / f"{slug}.parquet") for slug in self.systems}
        self.draws: dict[tuple[str, str], Aucs] = {}
        self.rows = {slug: self._row(slug) for slug in sorted(self.systems, key=self._floor_first)}
        self._compare()

    def _floor_first(self, slug: str) -> bool:
        return slug != self.board["metadata_floor"]

    def domain(self, slug: str, name: str) -> str:
        system = self.systems[slug]
        told = [*(system["trained_on"] or []), *(system.get("selected_on") or [])]
        if any(one.partition("/")[0] == name.partition("/")[0] for one in told):
            return "in"
        return "unknown" if system["trained_on"] is None else "cross"

    def answers(self, slug: str, name: str, condition: str = "untrimmed") -> pd.DataFrame | None:
        table = self.tables[slug]
        rows = table[(table["set"] == name) & (table["condition"] == condition)].set_index("id")
        return rows.loc[self.sets[name].truth["id"]] if len(rows) else None

    def _row(self, slug: str) -> dict[str, Any]:
        sets = {name: self._set(slug, name) for name in self.sets}
        cross = [name for name in self.sets if self.domain(slug, name) == "cross"]
        over = self.board["metadata_floor"] if self.board["metadata_floor"] in self.systems else None
        found: dict[str, Any] = {"sets": sets, "macro": self._mean(slug, cross, None)}
        found["margin"] = self._mean(slug, cross, over) if over and over != slug else None
        found["worst"] = min((sets[name]["auc"]["value"] for name in cross), default=None)
        return found

    def _mean(self, slug: str, names: list[str], over: str | None) -> Number:
        if not names:
            return {"value": None, "low": None, "high": None}
        values = [self.draws[slug, name].value for name in names]
        draws = np.array([self.draws[slug, name].draws for name in names])
        if over:
            values = [value - self.draws[over, name].value for value, name in zip(values, names, strict=True)]
            draws = draws - np.array([self.draws[over, name].draws for name in names])
        fewest = min(fewest_of(self.sets[name].truth) for name in names)
        return number(sum(values) / len(values), draws.sum(axis=0) / len(names), self.rules["level"], fewest)

    def _set(self, slug: str, name: str) -> dict[str, Any]:
        at, given, level = self.sets[name], self.answers(slug, name), self.rules["level"]
        assert given is not None
        scores, every = worst_of_class(given["score"], at.fake), np.ones(len(at.truth), dtype=bool)
        pooled, cut = auc(scores, at, every), self.answers(slug, name, "trimmed")
        self.draws[slug, name] = pooled
        fewest, equal = fewest_of(at.truth), eers(scores, at)
        found: dict[str, Any] = {
            "domain": self.domain(slug, name),
            "n_real": int((~at.fake).sum()),
            "n_fake": int(at.fake.sum()),
            "n_failed": int(given["score"].isna().sum()),
            "n_components": at.truth["component"].nunique(),
            "auc": number(pooled.value, pooled.draws, level, fewest) | {"doubt": doubtful(at.truth)},
            "eer": number(equal.value, equal.draws, level, fewest),
            "margin": None,
            "trimmed": None,
        }
        over = self.draws.get((self.board["metadata_floor"], name))
        if over and slug != self.board["metadata_floor"]:
            found["margin"] = number(pooled.value - over.value, pooled.draws - over.draws, level, fewest)
        if cut is not None:
            less = auc(worst_of_class(cut["score"], at.fake), at, every)
            found["trimmed"] = number(less.value, less.draws, level, fewest)
        found["kinds"] = self._slices(scores, at, "kind", ~at.fake)
        some = (at.truth["platform"] != "").any()
        found["platforms"] = self._slices(scores, at, "platform", np.zeros(len(scores), dtype=bool)) if some else {}
        found["localization"] = dict(self._located(slug, name, given))
        return found

    def _slices(self, scores: np.ndarray, at: SetUp, column: str, besides: np.ndarray) -> dict[str, Number]:
        column_of = at.truth[column].to_numpy()
        found = {}
        for one in sorted(set(column_of[at.fake]) if column == "kind" else set(column_of)):
            kept = besides | (column_of == one)
            aucs = auc(scores, at, kept)
            count = fewest_of(at.truth[kept]) if not math.isnan(aucs.value) else 0
            found[one] = number(aucs.value, aucs.draws, self.rules["level"], count)
            found[one] |= {"n_fake": int((kept & at.fake).sum()), "n_real": int((kept & ~at.fake).sum())}
        return found

    def _located(self, slug: str, name: str, given: pd.DataFrame) -> Iterator[tuple[str, Number]]:
        from benchmarks.localize import segments_of
        from benchmarks.metrics.localization import frame_auc
        from benchmarks.metrics.temporal import evaluate_temporal

        at, table = self.sets[name], self.tables[slug]
        told = {"n_draws": self.rules["draws"], "seed": at.seed}
        forged = [segments_of(one) for one in at.truth["true_segments"]]
        components = at.truth["component"].to_numpy(dtype=str)
        if any(forged) and _any(table["frame_scores"]):
            times, scores = ([_filled(one) for one in given[column]] for column in ("times", "frame_scores"))
            for pooling in ("pooled", "within_clip"):
                yield f"frame/{pooling}", vars_of(frame_auc(times, scores, forged, components, pooling=pooling, **told))
        partial = any(map(_partly_genuine, forged, at.truth["duration"]))
        if partial and (_any(table["proposals"]) or (table["proposal_rule"] != "").any()):
            found = evaluate_temporal(forged, _proposals(given, at.truth), components, **told)
            yield from ((f"temporal/{_upper(metric)}", vars_of(one)) for metric, one in found.items())
        yield from self._pixels(slug, name, told)

    def _pixels(self, slug: str, name: str, told: dict[str, Any]) -> Iterator[tuple[str, Number]]:
        from benchmarks.metrics.spatial import evaluate_pixels
        from benchmarks.pixels import counts_of, twin_of

        path, truth = self.folder / "submissions" / f"{slug}.pixels.parquet", self.sets[name].truth
        if not path.is_file():
            return
        import pyarrow.parquet as pq

        listed = {one["id"]: one for one in pq.read_table(path).to_pylist() if one["set"] == name}
        masked = dict(zip(truth["id"], truth["masked_pixels"] > 0, strict=True))
        full = [None if (row := listed.get(one)) is None else row | {"truth": "mask" if masked[one] else "empty"}
                for one in truth["id"]]  # fmt: skip
        if not any(row is not None and row["truth"] == "mask" for row in full):
            return
        twins = [None if row is None else twin_of(row) for row in full]
        found = evaluate_pixels(
            [None if row is None else counts_of(row) for row in full],
            truth["label"].to_numpy(), truth["component"].to_numpy(dtype=str),
            twins=twins if any(one is not None for one in twins) else None, **told,
        )  # fmt: skip
        yield from ((f"pixel/{metric.removeprefix('pixel_')}", vars_of(one)) for metric, one in found.items())

    def ranked(self, slug: str) -> bool:
        system = self.systems[slug]
        cross = all(self.domain(slug, name) == "cross" for name in self.sets)
        return cross and not system.get("withdrawn") and slug not in self.board["floors"]

    def _compare(self) -> None:
        """Ranks, rank intervals, Borda points and groups, each system held against each other one."""
        ranked = [slug for slug in self.rows if self.ranked(slug)]
        value = {slug: self.rows[slug]["macro"]["value"] for slug in ranked}
        draws = {slug: np.mean([self.draws[slug, name].draws for name in self.sets], axis=0) for slug in ranked}
        tail = (1 - self.rules["level"]) / 2
        for slug in ranked:
            places = 1 + sum((draws[other] - draws[slug] > EQUAL).astype(int) for other in ranked)
            ordered = np.sort(np.broadcast_to(places, (self.rules["draws"],)))
            points = 0.0
            for name in self.sets:
                mine = self.draws[slug, name].value
                gaps = [mine - self.draws[other, name].value for other in ranked if other != slug]
                points += sum(1.0 if gap > EQUAL else 0.5 if gap > -EQUAL else 0.0 for gap in gaps)
            self.rows[slug] |= {
                "rank": 1 + sum(value[other] - value[slug] > EQUAL for other in ranked),
                "rank_low": int(ordered[math.floor(tail * (len(ordered) - 1))]),
                "rank_high": int(ordered[math.ceil((1 - tail) * (len(ordered) - 1))]),
                "borda": points,
            }
        self._group(ranked, draws)

    def _group(self, ranked: list[str], draws: dict[str, np.ndarray]) -> None:
        def best_first(slug: str) -> tuple[Any, ...]:
            row = self.rows[slug]
            return row["rank"], -row["borda"], self.systems[slug]["system"]["name"], slug

        left = sorted(ranked, key=best_first)
        fewest = min(fewest_of(at.truth) for at in self.sets.values())
        group = 0
        while left:
            group += 1
            gaps = {slug: number(0.0, draws[left[0]] - draws[slug], self.rules["level"], fewest) for slug in left}
            lead = self.rows[left[0]]["rank"]
            held = {slug for slug, gap in gaps.items() if gap["low"] <= EQUAL and gap["high"] >= -EQUAL}
            same = [slug for slug in left if slug in held or self.rows[slug]["rank"] == lead]
            for slug in same:
                self.rows[slug]["group"] = group
            left = [slug for slug in left if slug not in same]


def _partly_genuine(stretches: Any, duration: float) -> bool:
    """Whether a clip is forged, and somewhere genuine for more than a frame at 25 per second."""
    starts = [*(float(one.start) for one in stretches), float(duration)]
    ends = [max([0.0, *(float(one.end) for one in stretches if one.start < start)]) for start in starts]
    return bool(stretches) and any(start - end > 0.04 for start, end in zip(starts, ends, strict=True))


def _any(column: pd.Series) -> bool:
    return any(one is not None and len(one) for one in column)


def _filled(one: Any) -> Any:
    return one if one is not None and len(one) else None


def _upper(metric: str) -> str:
    return metric[:3].upper() + metric[3:].upper() if metric[:3] in ("ap@", "ar@") else metric


def vars_of(estimate: Any) -> Number:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _proposals(given: pd.DataFrame, truth: pd.DataFrame) -> list[Any]:
    from benchmarks.detector import ScoredSegment
    from benchmarks.localize import segments_of
    from benchmarks.proposing import propose

    rows = [
        {"detector": "", "condition": "", "id": one["id"], "duration": float(duration), "segments": one["proposals"]}
        | {key: one[key] for key in ("set", "score", "error", "times", "frame_scores", "proposals", "proposal_rule")}
        for one, duration in zip(given.reset_index().to_dict("records"), truth["duration"], strict=True)
    ]
    spans = [row["proposals"] for row in (propose(rows) if rows[0]["proposal_rule"] else rows)]
    return [
        None if gone else [ScoredSegment(segment, one["confidence"]) for one in said for segment in segments_of([one])]
        for said, gone in zip(spans, given["score"].isna(), strict=True)
    ]


def differences(board: dict[str, Any], again: Recomputed, most: float = 1e-9) -> list[str]:
    """Where `leaderboard.json` and the recomputation part by more than `most`; [] where they agree."""
    seen = {slug: _spread(slug, row) for slug, row in again.rows.items()}
    wanted = {path: value for found in seen.values() for path, value in found.items()}
    said = {path: value for row in board["rows"] for path, value in _spread(row["slug"], _shape(row)).items()}
    paths = wanted.keys() | said.keys()
    apart = [path for path in sorted(paths) if not _near(said.get(path), wanted.get(path), most)]
    wrong = [f"{path}: {said.get(path)!r}, recomputed {wanted.get(path)!r}" for path in apart]
    return [*wrong, *([] if len(said) > 20 else ["nothing was compared"])]


def _near(one: Any, other: Any, most: float) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return abs(one - other) <= most
    return bool(one == other)


def _shape(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the file as `Recomputed` has it."""
    kept = {name: row[name] for name in ("macro", "margin", "rank", "rank_low", "rank_high", "borda", "group")}
    sets = {}
    for one in row["sets"]:
        plain = {key: value for key, value in one.items() if key not in ("set", "localization_absent")}
        for family in ("kinds", "platforms"):
            plain[family] = {part["name"]: {**part["auc"], **{key: part[key] for key in ("n_real", "n_fake")}}
                             for part in one[family]}  # fmt: skip
        plain["auc"] = {**one["auc"], "doubt": bool(one["auc"]["doubt"])}
        sets[one["set"]] = plain
    return {**kept, "worst": row["worst"][1]["value"] if row["worst"] else None, "sets": sets}


def _spread(path: str, value: Any) -> dict[str, Any]:
    """Nested data as path -> leaf; what is None, and words, are left out."""
    if isinstance(value, dict):
        return {at: leaf for key, part in value.items() for at, leaf in _spread(f"{path} > {key}", part).items()}
    if value is None or (isinstance(value, str) and not path.endswith("domain")):
        return {}
    return {path: value}


if __name__ == "__main__":
    from leaderboards.board import rules_of
    from leaderboards.loading import load_standings
    from leaderboards.site.downloads import to_json

    for name in map(Path, sys.argv[1:]):
        board = json.loads(to_json(load_standings(name)))
        wrong = differences(board, Recomputed(name, rules_of(board["board"]["rules"]).model_dump(mode="json")))
        count = sum(len(_spread(row["slug"], _shape(row))) for row in board["rows"])
        sys.stdout.write("\n".join([f"{name}: {count} numbers, {len(wrong)} differ", *wrong]) + "\n")
