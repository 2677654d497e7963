"""Simulated sets with known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cmdfd.audit.cue import Cue
from cmdfd.audit.finding import Finding, Probe

if TYPE_CHECKING:
    from cmdfd.audit.cue import CueKind


def cue(name: str, unit: str = "s", kind: CueKind = "leak") -> Cue:
    return Cue(name, f"the {name.split('.')[1]}", unit, kind, "", "", "")


def paired(n_components: int, per: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return np.tile([0, 1], n_components * per // 2), np.repeat(np.arange(n_components), per)


def unpaired(rng: np.random.Generator, n_components: int = 24) -> tuple[np.ndarray, np.ndarray]:
    components = np.repeat(np.arange(n_components), rng.integers(4, 12, n_components))
    return (components >= n_components // 3).astype(int), components


def flagged(name: str, unit: str = "s") -> Finding:
    return Finding(
        cue=name, title=name, unit=unit, cue_kind="leak", analysis="all", view="value", tree=None,
        rank=Probe("rank", 0.9, 0.85, 0.95), p=0.001,
        p_single=0.001, p_holm=None, p_bh=None, severity="high", higher_in_fakes=True, rule=None,
        marker=None, typical="", n=1, n_missing=0, remedy="", fix="none",
    )  # fmt: skip


def table_of(labels: np.ndarray, components: np.ndarray, **cues: np.ndarray) -> pd.DataFrame:
    found = pd.DataFrame({f"x.{name}": values for name, values in cues.items()})
    return found.assign(id=[f"c{k}" for k in range(len(labels))], label=labels, component=components.astype(str))
