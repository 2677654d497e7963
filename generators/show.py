"""What a build tells on the terminal: plan, counts, what was not made, audit, time, and the next command."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

from cmdfd.clip import REAL_KIND
from cmdfd.errors import JOB_CODES, MEDIA_CODES, RETRY_CODES
from cmdfd.tables import REFUSED
from generators.jobs import ORIGINAL_LACKS
from generators.pairing import SELF
from generators.sources.sources_csv import printable
from generators.throughput import outside_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from generators.estimate import Estimate
    from generators.options import BuildReport
    from generators.pairing import Donor
    from generators.plan import BuildPlan, Slot
    from generators.sources.contract import SourceItem
    from generators.throughput import KindTime

STEPS = {
    "takes": "pristine takes",
    "clips": "real and fake clips",
    "tables": "tables and audit",
    "sheets": "contact sheet",
}
_MAX_REASONS, _MAX_TAKES = 40, 2


def table(header: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Print a table; texts to the left, numbers to the right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    found = Table(title=title, title_justify="left")
    for index, name in enumerate(header):
        text = index == 0 or not rows or isinstance(rows[0][index], str)
        found.add_column(name, justify="left" if text else "right")
    for row in rows:
        found.add_row(*(escape(str(cell)) for cell in row))
    Console().print(found)


def counts_table(counts: Mapping[str, Mapping[str, int]], title: str) -> None:
    """Clips by kind and split."""
    splits = list(counts)
    kinds = sorted({kind for split in splits for kind in counts[split]}, key=lambda kind: (kind != "real", kind))
    rows: list[list[object]] = [
        [kind, *(counts[split].get(kind, 0) for split in splits), sum(counts[s].get(kind, 0) for s in splits)]
        for kind in kinds
    ]
    per_split = [sum(counts[split].values()) for split in splits]
    rows.append(["all", *per_split, sum(per_split)])
    table(["kind", *splits, "all"], rows, title)


def show_plan(plan: BuildPlan, expected: Estimate, missing: Mapping[str, Sequence[str]]) -> int:
    """Print what a build would do; returns the exit code."""
    counts_table(plan.counts(), f"{plan.recipe.name}: planned, nothing was made")
    rows = [
        [_name(take.item), _slot_words(clip.slot), clip.slot.generator, _driver(clip.donor)]
        for take in plan.takes[:_MAX_TAKES]
        for clip in take.clips
        if not clip.original
    ]
    table(["take", "clip", "generator", "driven by"], rows, f"the first {min(_MAX_TAKES, len(plan.takes))} takes")
    _show_scenes_and_platforms(plan)
    _show_planned_refusals(plan)
    write = sys.stdout.write
    minutes = expected.seconds / 60
    time = f"{expected.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min"
    write(
        f"{expected.n_takes} takes, {expected.n_clips} clips, {expected.n_refused} refused. About {time}, "
        f"{_size(expected.set_bytes)} for the set and {_size(expected.work_bytes)} more while it is built "
        "(half or twice that is no surprise).\n"
    )
    needed = plan.recipe.harmonise.seconds
    short = sum(float(take.item.spec.get("seconds", needed)) < needed for take in plan.takes)
    if short:
        write(f"{short} takes are shorter than a clip of {needed:g} s and will be refused (--seconds).\n")
    if expected.unknown:
        write(f"Speed not known of: {', '.join(expected.unknown)}; one second for a second of video is assumed.\n")
    for name, problems in missing.items():
        write(f"Not ready: {name}: {'; '.join(problems)}\n")
    return 0


def _show_scenes_and_platforms(plan: BuildPlan) -> None:
    """Takes by layout, and what every clip is sent through."""
    layouts = Counter(take.scene.layout for take in plan.takes if take.scene)
    if layouts:
        table(["scene", "takes"], [[name, n] for name, n in sorted(layouts.items())])
    chains = list(dict.fromkeys(clip.slot.platform for take in plan.takes for clip in take.clips if clip.original))
    if chains:
        sys.stdout.write(
            f"Every clip counts {len(chains) + 1} times: as it is, and sent through {', '.join(chains)}.\n"
        )


def _slot_words(slot: Slot) -> str:
    return f"real, sham of {slot.kind}" if slot.sham and slot.kind != slot.recorded else slot.kind


def _driver(donor: Donor | None) -> str:
    if donor is None:
        return ""
    return "itself" if donor.relation == SELF else f"{donor.relation} {_name(donor.item)}"


def _name(item: SourceItem) -> str:
    """What a person calls a take: its file, where it comes from one, and which take of it."""
    file = item.spec.get("file")
    return item.key if file is None else f"{printable(str(file))} {item.key.rsplit('-', 1)[-1]}"


def _show_planned_refusals(plan: BuildPlan) -> None:
    rows = [[one.file, one.code, one.reason] for one in plan.refused[:_MAX_REASONS]]
    found: dict[tuple[str, str, str], int] = {}
    for take in plan.takes:
        for clip in take.clips:
            if clip.refused is not None:
                key = (clip.slot.kind, *clip.refused)
                found[key] = found.get(key, 0) + 1
    rows += [[f"{n} of {kind}", code, reason] for (kind, code, reason), n in sorted(found.items())][:_MAX_REASONS]
    if rows:
        table(["refused", "code", "reason"], rows)


def _size(number: float) -> str:
    return f"{number / 1e6:.0f} MB" if number < 2e9 else f"{number / 1e9:.1f} GB"


def write_plan(plan: BuildPlan, path: Path) -> None:
    """Write a plan as JSON lines, one for each clip; the same bytes for the same recipe and source."""
    lines = [
        {
            "id": clip.id, "address": clip.address, "take": take.item.key, "split": take.item.split,
            "kind": clip.slot.recorded, "generator": clip.slot.generator, "sham": clip.slot.sham,
            "params": dict(clip.params), "relation": clip.donor.relation if clip.donor else "",
            "donor": clip.donor.item.key if clip.donor else None, "file": clip.paths.file,
            "refused": list(clip.refused) if clip.refused else None, "platform": clip.slot.platform,
            "original": clip.original, "scene": take.scene.layout if take.scene else "",
            "beside": [item.key for item in take.scene.bystanders] if take.scene else [],
        }
        for take in plan.takes
        for clip in take.clips
    ]  # fmt: skip
    text = "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def _refused_table(report: BuildReport) -> None:
    """What was not made: whole files by name, single kinds by kind."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in report.refused:
        if one.reason.startswith(ORIGINAL_LACKS):  # told once, by the original itself
            continue
        found.setdefault((one.source, one.code, one.reason), []).append(one.kind or "all")
    grouped: dict[tuple[str, str, str], int] = {}
    for (source, code, reason), kinds in found.items():
        whole = "all" in kinds or "real" in kinds
        key = (source if whole else ", ".join(sorted(set(kinds))), code, reason)
        grouped[key] = grouped.get(key, 0) + (1 if whole else len(kinds))
    rows: list[list[object]] = [[n, *key] for key, n in sorted(grouped.items(), key=lambda pair: -pair[1])]
    if not rows:
        words = MEDIA_CODES | JOB_CODES
        rows = [[n, "", code, words.get(code, "")] for code, n in report.refused_codes.items()]
    table(["not made", "what", "code", "reason"], rows[:_MAX_REASONS])
    more = f"{len(rows) - _MAX_REASONS} more lines, and all" if len(rows) > _MAX_REASONS else "All"
    sys.stdout.write(f"{more} of them one by one: {report.out / REFUSED}\n")


def _throughput_table(times: Sequence[KindTime]) -> None:
    rows: list[list[object]] = [
        [one.kind, one.n, *(f"{part / one.video_seconds:.3f}" for part in (one.generate, one.codec, one.outside)),
         f"{one.per_second:.3f}"]
        for one in times
    ]  # fmt: skip
    header = ["kind", "clips", "generator", "decode + encode", "rest", "all"]
    table(header, rows, "worker seconds for a second of video")
    sys.stdout.write(f"Outside generators, decoding and encoding: {outside_share(times):.1%} of the workers' time.\n")


def show_report(report: BuildReport) -> int:
    """Print how a build ended; returns the exit code."""
    write = sys.stdout.write
    if report.remaining:
        write(f"{report.remaining} takes of other ranks are still to be made; the last rank writes the tables.\n")
        return 0
    state = "was finished before" if report.finished_before else "built"
    counts_table(report.counts, f"{report.name}: {state}, {report.out}")
    if report.platforms:
        originals = sum(sum(kinds.values()) for kinds in report.counts.values()) - sum(report.platforms.values())
        sent = ", ".join(f"{n} through {name}" for name, n in sorted(report.platforms.items()))
        write(f"Of these {originals} are originals, {sent}.\n")
    if report.kept:
        write(f"{report.kept} clips were there already.\n")
    if report.refused_codes:
        _refused_table(report)
    if report.audit is not None:
        write(f"Audit: {report.audit['status']}.\n")
        for sentence in list(report.audit["sentences"])[:5]:
            write(f"  {sentence}\n")
    if report.throughput:
        _throughput_table(report.throughput)
    if not report.finished_before:
        parts = ", ".join(f"{STEPS.get(step, step)} {seconds:.1f} s" for step, seconds in report.seconds.items())
        write(f"Time: {parts}.\n")
    write("".join(f"{line}\n" for line in [*(f"Look: {path}" for path in report.sheets), *_what_next(report)]))
    return 0 if report.passed else 1


def _what_next(report: BuildReport) -> list[str]:
    """What is missing, and the next command."""
    lines = []
    if {"env_missing", "weights_missing"} & set(report.refused_codes):
        lines.append("Not all generators are ready: python -m generators.doctor; then build again with --retry-failed.")
    if RETRY_CODES & set(report.refused_codes):
        lines.append("What crashed or took too long may work the next time: build again with --retry-failed.")
    if not any(kind != REAL_KIND for kinds in report.counts.values() for kind in kinds):
        return [*lines, "There is no fake in this set."]
    where = f"--report-on {report.out}:test" if "test" in report.counts else f"--train-on {report.out}"
    return [*lines, f"Next: python -m benchmarks.run --detector mds {where}"]
