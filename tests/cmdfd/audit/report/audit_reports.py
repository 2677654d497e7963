"""Audits to be told: small sets with planted cues, judged by the simplest means, and the odd cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cmdfd.audit.check import Check
from cmdfd.audit.cue import Cue
from cmdfd.audit.finding import Finding, Probe, Rule
from cmdfd.audit.records import (
    AuditReport,
    Comparison,
    Conditional,
    Controls,
    Floor,
    Lineage,
    SplitProbe,
    Stage,
)
from cmdfd.audit.severity import Marker, Severity

GENERATORS = ("wav2lip", "audio/voice_change", "sadtalker")
HOSTILE = "<script>alert(1)</script>\u202eevil\x1b[31m\x00|`*_[x](http://e.vil)"


def cue(name: str, title: str = "", unit: str = "", kind: Any = "nuisance", fix: Any = "harmonise") -> Cue:
    return Cue(name, title or f"the {name}", unit, kind, f"rule of {name}", f"repair {name}", f"source of {name}", fix)


CUES = {
    one.name: one
    for one in (
        cue("silence.lead_5e-4", "the leading silence", "s", fix="crop"),
        cue("time.fps", "the frame rate", "1/s", "leak"),
        cue("container.brands", "the file's brand", "category", "leak"),
        cue("meta.path", "the file's path", "tokens", "leak", "rename"),
        cue("level.lufs", "the loudness", "LUFS"),
        cue("audio.cutoff", "the bandwidth", "Hz", "debatable"),
        cue("level.dc", "the offset", "full scale"),
    )
}


def table(seed: int = 0, n_components: int = 20) -> pd.DataFrame:
    """4 reals and 3 fakes for each component, with planted cues."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_components):
        rows += [(f"real_{number}_{k}", 0, f"p{number}", "", "") for k in range(4)]
        rows += [
            (f"fake_{number}_{k}", 1, f"p{number}", GENERATORS[k], ("video", "audio", "audiovisual")[k])
            for k in range(3)
        ]
    found = pd.DataFrame(rows, columns=["id", "label", "component", "generator", "modality"])
    fake = (found["label"] == 1).to_numpy()
    n = len(found)
    found["split"] = np.where(found["component"].str[1:].astype(int) % 3 == 0, "test", "train")
    found["silence.lead_5e-4"] = np.where(fake, rng.normal(0.04, 0.004, n), rng.gamma(2, 0.003, n))
    found["time.fps"] = np.where(found["generator"] == "sadtalker", 30.0, 25.0)
    brands = np.where(found["generator"] == "wav2lip", "mp42", "isom").astype(object)
    brands[3] = None
    found["container.brands"] = brands
    found["meta.path"] = [f"clips {'fake' if one else 'take'} n{k % 5}" for k, one in enumerate(fake)]
    found["level.lufs"] = np.where(fake, rng.normal(-21.5, 1, n), rng.normal(-23, 1, n))
    found.loc[rng.random(n) < 0.1, "level.lufs"] = np.nan
    found["audio.cutoff"] = np.where(fake, rng.normal(7500, 200, n), rng.normal(7900, 200, n))
    found["level.dc"] = rng.normal(0, 1e-4, n)
    return found


def finding(name: str, severity: Severity = "high", **changes: Any) -> Finding:
    """A finding with numbers as they come; `changes` overrides fields."""
    known = CUES.get(name) or cue(name)
    shown = severity != "none"
    auc = {"critical": 0.985, "high": 0.87, "medium": 0.74, "low": 0.61, "none": 0.52}[severity]
    fields: dict[str, Any] = {
        "cue": name,
        "title": known.title,
        "unit": known.unit,
        "cue_kind": known.kind,
        "analysis": "all",
        "view": "value",
        "rank": Probe("rank", auc, auc - 0.04, min(auc + 0.04, 1.0), 0.6),
        "tree": Probe("tree", auc - 0.02, auc - 0.06, auc + 0.01, 0.5, 0.4),
        "p": 0.0004 if shown else 0.6,
        "p_single": 0.0001 if shown else 0.3,
        "p_holm": 0.0007 if shown else 1.0,
        "p_bh": 0.0002 if shown else 0.5,
        "severity": severity,
        "higher_in_fakes": True,
        "rule": Rule("above 1", 1.0, True, 0.9, 0.1) if shown else None,
        "marker": None,
        "typical": f"median 1 {known.unit} in fakes and 0 {known.unit} in reals",
        "n": 140,
        "n_missing": 0,
        "remedy": known.remedy,
        "fix": known.fix,
    }
    return Finding(**{**fields, **changes})


def planted_findings() -> list[Finding]:
    mark = Marker(1, 1.0, 20, 20, "is 'mp42'", 0.83, 0.0004)
    sad = Rule("above 27.5 1/s", 27.5, True, 1.0, 0.0)
    found = [
        finding("silence.lead_5e-4", "critical", rule=Rule("above 31 ms", 0.031, True, 0.98, 0.02)),
        finding("meta.path", "critical", view="contains 'fake'", rule=Rule("contains 'fake'", None, True, 1.0, 0.0)),
        finding("time.fps", "critical", analysis="generator: sadtalker", rule=sad, n=100),
        finding(
            "container.brands",
            "critical",
            analysis="generator: wav2lip",
            view="is 'mp42'",
            rule=Rule("is 'mp42'", None, True, 1.0, 0.0),
            marker=mark,
        ),
        finding("level.lufs", "medium", rule=Rule("above -22.3 LUFS", -22.3, True, 0.79, 0.24), n_missing=14),
        finding("level.lufs", "high", analysis="split: test", rule=None, n_missing=4),
        finding("audio.cutoff", "high", rule=Rule("below 7700 Hz", 7700.0, False, 0.85, 0.15), higher_in_fakes=False),
        finding("level.dc", "none"),
        finding("time.fps", "medium", tree=None, rule=None),
    ]
    found += [finding("level.dc", "none", analysis=f"generator: {name}") for name in GENERATORS]
    return sorted(found, key=lambda one: one.rank_key)


def comparisons(by: dict[str, tuple[str, ...]], testable: bool = True, note: str = "paired") -> tuple[Comparison, ...]:
    pooled = Comparison("all", "", "", 80, 60, 20, 9999 if testable else 0, testable, note)
    rest = [
        Comparison(f"{name}: {level}", name, level, 80, 20, 20, 9999 if testable else 0, testable, note)
        for name, levels in by.items()
        for level in levels
    ]
    return (pooled, *rest)


BY = {"generator": GENERATORS, "split": ("test", "train"), "modality": ("audio", "audiovisual", "video")}


def planted(**changes: Any) -> AuditReport:
    """A set with several planted cues, three generators, and everything that goes deeper."""
    lead = "silence.lead_5e-4"
    fields: dict[str, Any] = {
        "name": "planted",
        "kind": "built set",
        "notes": ("the column 'label' is the label; FAKE = fake",),
        "checks": (
            Check("label.order", "none", "Labels come in blocks.", 140, (), ""),
            Check("missing.sound", "critical", "All 80 reals lack sound.", 80, ("real_0_0", "real_0_1"), "add sound"),
        ),
        "findings": tuple(planted_findings()),
        "comparisons": comparisons(BY),
        "constant": ("geometry.size",),
        "not_measured": ("face.count", "history.gop_peak"),
        "unread": (("broken.mp4", "decode_failed: the stream broke off"),),
        "n_real": 80,
        "n_fake": 60,
        "n_components": 20,
        "n_unlabelled": 2,
        "floor": Floor(
            (lead, "meta.path", "time.fps"),
            Probe("tree", 0.994, 0.988, 0.999, 0.97, 0.92),
            0.0004,
            ((lead, 0.985), ("meta.path", 0.994)),
        ),
        "conditional": (
            Conditional("meta.path", lead, 0.9, 0.8, 0.97, 6),
            Conditional(lead, "meta.path", None, None, None, 0),
            Conditional("level.lufs", lead, 0.53, 0.41, 0.63, 6),
        ),
        "splits": (
            SplitProbe("split", 0.52, 0.44, 0.6, 0.62, "level.lufs", 80),
            SplitProbe("platform", None, None, None, None, "", 0, "there is one platform only"),
        ),
        "controls": Controls(20, 0, 0.64, 40, ((0.55, 0.05), (0.65, 0.85), (0.8, 1.0))),
        "lineage": (
            Lineage(lead, (Stage("source", 0.51, 0.9), Stage("raw", 0.98, 0.0004)), "raw", "The generator writes it."),
        ),
        "depth": "full",
        "settings": {"by": ["generator"], "n_draws": 9999, "seed": 3, "sample": None},
        "versions": {"cmdfd": "0.1.0"},
    }
    return AuditReport(**{**fields, **changes})


BARE: dict[str, Any] = {
    "checks": (),
    "floor": None,
    "conditional": (),
    "splits": (),
    "controls": None,
    "lineage": (),
    "unread": (),
    "n_unlabelled": 0,
}


def clean_set() -> AuditReport:
    quiet = tuple(finding(name, "none") for name in CUES)
    return planted(name="clean", findings=quiet, **{**BARE, "controls": Controls(20, 0, 0.66, 40)})


def few_components() -> AuditReport:
    note = "not testable: 4 components are too few for p < .01"
    quiet = tuple(finding(name, "none", p=None, p_single=None, p_holm=None, p_bh=None) for name in CUES)
    return planted(
        name="few",
        kind="video folder",
        findings=quiet,
        comparisons=comparisons({}, testable=False, note=note),
        n_components=4,
        **BARE,
    )


def nothing() -> AuditReport:
    """No real clip, no cue: what an empty class leaves."""
    pooled = Comparison("all", "", "", 0, 60, 20, 0, testable=False, note="not testable: there is no real clip")
    return planted(
        name="", findings=(), comparisons=(pooled,), constant=(), not_measured=(), notes=(), n_real=0, **BARE
    )


def long_list(n: int = 40) -> AuditReport:
    """A list without media and with many findings."""
    grades: tuple[Severity, ...] = ("critical", "high", "medium", "low")
    found = [finding(f"column.c{k}", grades[4 * k // n]) for k in range(n)]
    return planted(name="list.csv", kind="list", findings=tuple(found), comparisons=comparisons({}), **BARE)


def wide(n_cues: int = 60, n_generators: int = 10) -> tuple[AuditReport, pd.DataFrame]:
    """As many flagged cues and generators as a page must bear."""
    rng = np.random.default_rng(1)
    names = tuple(f"generator_{k}" for k in range(n_generators))
    n = 600
    labels: NDArray[np.int64] = np.repeat([0, 1], n // 2)
    data: dict[str, Any] = {
        "id": [f"c{k}" for k in range(n)],
        "label": labels,
        "component": [f"p{k % 30}" for k in range(n)],
        "generator": np.where(labels == 1, rng.choice(names, n), ""),
    }
    data |= {f"column.c{k}": rng.normal(labels * rng.uniform(0.5, 3), 1) for k in range(n_cues)}
    found = [finding(f"column.c{k}", "critical" if k < 5 else "high") for k in range(n_cues)]
    found += [replace(one, analysis=f"generator: {name}") for one in found for name in names]
    report = planted(findings=tuple(found), comparisons=comparisons({"generator": names}))
    return report, pd.DataFrame(data)


def hostile() -> tuple[AuditReport, pd.DataFrame]:
    """Names of strangers wherever names can stand."""
    name = f"column.{HOSTILE}"
    data = table()
    data[name] = data["level.lufs"]
    words = f"column.w{HOSTILE}"
    data[words] = [f"{HOSTILE} {one}" for one in data["meta.path"]]
    kinds = f"column.k{HOSTILE}"
    data[kinds] = np.where(data["label"] == 1, HOSTILE, "plain")
    data["generator"] = data["generator"].replace("wav2lip", HOSTILE)
    found = (
        finding(name, "critical", title=HOSTILE, unit=HOSTILE, remedy=HOSTILE, typical=HOSTILE),
        finding(words, "critical", unit="tokens", rule=Rule(f"contains {HOSTILE!r}", None, True, 0.9, 0.1)),
        finding(kinds, "critical", unit="category", view=f"is {HOSTILE!r}", analysis=f"generator: {HOSTILE}"),
    )
    report = planted(
        name=HOSTILE,
        kind="list",
        notes=(HOSTILE,),
        checks=(Check(HOSTILE, "high", HOSTILE, 3, (HOSTILE,), HOSTILE),),
        findings=found,
        comparisons=comparisons({"generator": (HOSTILE,)}, note=HOSTILE),
        constant=(HOSTILE,),
        not_measured=(HOSTILE,),
        unread=((HOSTILE, HOSTILE),),
        lineage=(Lineage(name, (Stage(HOSTILE, 0.9, 0.001),), HOSTILE, HOSTILE),),
        splits=(SplitProbe(HOSTILE, 0.9, 0.8, 1.0, 0.001, HOSTILE, 3, HOSTILE),),
        settings={HOSTILE: HOSTILE},
        versions={HOSTILE: HOSTILE},
    )
    return report, data
