"""Every canary is found with the planted cue on top, the clean set stays clean, and repairs clear what was planted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from canaries import CANARIES, NEUTRAL_TIME, Canary, Zoo

from cmdfd.audit.analysis import Analysis, Settings, analyse
from cmdfd.audit.catalogue import known_cues, unknown_cue
from cmdfd.audit.measuring import measure_all
from cmdfd.audit.run import AuditOptions, audit
from cmdfd.audit.targets.target import Target
from cmdfd.statistics.permutation import LabelShuffler

#: 400 clips: 100 speakers, two takes, real and fake.
N_COMPONENTS = int(os.environ.get("CMDFD_CANARY_COMPONENTS", "100"))
FACTS = ["id", "label", "component", "split", "generator"]
SETTINGS = Settings(by=("generator", "split"), n_draws=1999, trees="shown")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("zoo"), N_COMPONENTS)


@pytest.fixture(scope="module")
def clean(zoo: Zoo) -> pd.DataFrame:
    """Facts and measured cues of the clean set."""
    rows = zoo.write_clean()
    measured = measure_all([Path(path) for path in rows["path"]], "full", workers=2)
    assert not measured.failures
    return pd.concat([rows[FACTS], measured.table], axis=1)


def planted(zoo: Zoo, clean: pd.DataFrame, canary: Canary) -> pd.DataFrame:
    """The same with the changed clips measured anew."""
    rows, chosen = zoo.plant(canary), zoo.planted_rows(canary)
    measured = measure_all([Path(path) for path in rows.loc[chosen, "path"]], "full", workers=2)
    assert not measured.failures
    table = clean.copy()
    for name in measured.table.columns:
        table[name] = table[name].astype(object)
        table.loc[chosen, name] = measured.table[name].to_numpy(dtype=object)
    return table


def analysed(table: pd.DataFrame) -> Analysis:
    cues = known_cues()
    return analyse(table, lambda name: cues.get(name) or unknown_cue(name), SETTINGS)


def target_of(rows: pd.DataFrame, root: Path) -> Target:
    facts = rows[[*FACTS, "path"]].assign(file=[Path(path).name for path in rows["path"]])
    return Target("zoo", "video folder", facts, root)


@pytest.mark.slow
def test_the_clean_set_raises_no_flag(clean: pd.DataFrame) -> None:
    found = analysed(clean)
    assert [one.cue for one in found.findings if one.shown] == []
    assert found.comparisons[0].testable


@pytest.mark.slow
@pytest.mark.parametrize("canary", CANARIES, ids=[one.name for one in CANARIES])
def test_a_canary_is_on_top(zoo: Zoo, clean: pd.DataFrame, canary: Canary) -> None:
    found = analysed(planted(zoo, clean, canary))
    flagged = [one for one in found.findings if one.shown and one.analysis == "all"]
    assert flagged, "nothing was flagged"
    top = flagged[0]
    print(f"{canary.name}: {top.cue} {top.severity} AUC {top.auc:.3f} p {top.p:.4g}; {len(flagged)} flagged")
    assert any(top.cue == cue or (cue.endswith(".") and top.cue.startswith(cue)) for cue in canary.cues), top.sentence()
    assert top.p is not None and top.p < 0.01
    assert top.severity in ("low", "medium", "high", "critical")


@pytest.mark.slow
def test_names_and_copies_are_found(zoo: Zoo, tmp_path: Path) -> None:
    rows = zoo.write_clean()
    places = []
    for row in rows.itertuples():
        path = tmp_path / (f"{'fake' if row.label else 'take'}_{row.id}.mp4")
        os.link(row.path, path)
        places.append(str(path))
    options = AuditOptions(quick=True, settings=SETTINGS, deeper=False)
    named = audit(target_of(rows.assign(path=places), tmp_path), options).report
    top = named.flagged[0]
    assert (top.cue, top.severity) == ("meta.path", "critical")
    assert "'fake'" in top.sentence() or "'take'" in top.sentence()

    copied = rows.copy()
    train, test = (copied.index[copied["split"] == name][0] for name in ("train", "test"))
    double = tmp_path / "double.mp4"
    shutil.copy2(copied.loc[train, "path"], double)
    os.utime(double, (NEUTRAL_TIME, NEUTRAL_TIME))
    copied.loc[test, "path"] = str(double)
    checks = audit(target_of(copied, tmp_path), options).report.checks
    assert any(one.name in ("split.duplicate", "label.copy_conflict") and one.n >= 1 for one in checks)


@pytest.mark.slow
def test_clean_sets_are_rarely_flagged(clean: pd.DataFrame) -> None:
    """200 null draws: labels rearranged inside the components; and an identity-confounded cue is not flagged."""
    shuffler = LabelShuffler.of(clean["label"], clean["component"])
    draws = shuffler.draw(np.random.default_rng(5), 200)
    cues = known_cues()
    table = clean.copy()
    codes = pd.factorize(table["component"])[0]
    table["level.rms"] = np.random.default_rng(6).normal(size=codes.max() + 1)[codes] * 5
    flagged = 0
    for seed, labels in enumerate(draws):
        found = analyse(
            table.assign(label=labels.astype(int)),
            lambda name: cues.get(name) or unknown_cue(name),
            Settings(by=(), n_draws=299, seed=seed, trees="none"),
        )
        flagged += any(one.shown for one in found.findings)
    print(f"{flagged} of 200 null draws were flagged")
    assert flagged <= 10
