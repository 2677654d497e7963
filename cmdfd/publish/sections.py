"""The values of the card's template: facts and words as Markdown, everything from outside escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.audit.report.prose import markdown
from cmdfd.publish.audit_section import audit_section
from cmdfd.publish.facts import counted
from cmdfd.publish.gate import lets_share
from cmdfd.publish.licences import overridden
from cmdfd.publish.recipe_only import built_folder
from cmdfd.publish.versions import version_rows
from cmdfd.publish.words import fenced, prose
from cmdfd.report.text import NOTHING, duration, listing, plural
from cmdfd.takedown.tombstones import TOMBSTONES, read_tombstones

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmdfd.audit.records import AuditReport
    from cmdfd.dataset import Dataset
    from cmdfd.publish.blanks import Blanks
    from cmdfd.publish.facts import KindFacts, SetFacts, SplitFacts
    from cmdfd.publish.licences import Ledger
    from cmdfd.publish.records import Checked, Repo, Staged

#: Under so many components an interval is marked unreliable by this suite, and no p is given.
RELIABLE_COMPONENTS = 12
WITHHELD = "withheld"
#: Settings of the encoder that the card tells, in its words.
_ENCODER = {
    "container": "container", "preset": "preset", "crf": "CRF", "gop": "frames between key frames",
    "lufs": "loudness in LUFS", "audio_bit_rate": "bit/s of the sound",
}  # fmt: skip


def sections(
    dataset: Dataset,
    facts: SetFacts,
    ledger: Ledger,
    staged: Staged,
    checked: Checked,
    repo: Repo,
    audit: AuditReport | None,
    blanks: Blanks,
) -> dict[str, Any]:
    """Values for the template; see `cmdfd.publish.card.card` for the arguments."""
    names = {file.path for file in staged.files}
    found = _of_set(facts, staged, names, blanks)
    found |= _of_publisher(dataset, repo, blanks)
    return found | {
        "opening": _opening(facts, dataset),
        "audit": audit_section(audit, checked, _audited(facts, staged, repo), blanks.blank),
        "traces": _traces(facts, audit, blanks),
        "ledger": _ledger_rows(ledger),
        "licence": markdown(ledger.overall.licence),
        "lets_share": lets_share(ledger.overall.licence),
        "overrides": _overrides(ledger, checked, blanks),
        "personal_data": _personal(facts, ledger, names, blanks),
        "repo": repo.id,
        "tag": repo.tag,
    }


def _of_set(facts: SetFacts, staged: Staged, names: set[str], blanks: Blanks) -> dict[str, Any]:
    """What the set says of itself."""
    hidden = facts.build.withheld
    return {
        "n_clips": _n_clips(facts),
        "technical": _technical(facts),
        "languages": _languages(facts, blanks),
        "made_with": _made_with(facts),
        "platforms": _counted(facts.platforms),
        "scenes": _counted(facts.scenes),
        "splits": [_split_row(split) for split in facts.splits],
        "withheld": listing([markdown(name) for name in hidden]),
        "collection": _collection(facts, blanks),
        "recipe_only": staged.recipe_only,
        "talkers": facts.talkers,
        "layout": staged.layout,
        "sides": _sides(names, staged),
        "disjoint": _disjoint(facts),
        "first_split": next((split.name for split in facts.splits if split.name not in hidden), facts.splits[0].name),
        "kinds": [_kind_row(kind) for kind in facts.kinds],
        "no_kinds": "Which fakes there are is withheld." if hidden else "There are no fakes.",
        "common_stage": _common_stage(facts),
        "sham": _sham(facts, blanks),
        "marks": _marks(facts),
        "limits": _limits(facts),
        "tombstones": TOMBSTONES if TOMBSTONES in names else "",
    }


def _audited(facts: SetFacts, staged: Staged, repo: Repo) -> str:
    """What a reader can audit: without media, what the recipe builds."""
    return built_folder(facts.build) if staged.recipe_only else f"{repo.id}@{repo.tag}"


def _of_publisher(dataset: Dataset, repo: Repo, blanks: Blanks) -> dict[str, Any]:
    """What the publisher says, beside what the template asks for by `said`."""
    words = blanks.words
    return {
        "title": markdown(words.title or dataset.name),
        "said": blanks.said,
        "social_impact": prose(words.social_impact) if words.social_impact else "",
        "changes": version_rows(repo, read_tombstones(dataset.folder), blanks),
        "citation": _citation(blanks),
        "maintainers": listing([markdown(name) for name in words.maintainers], 20),
        "takedown": _takedown(blanks),
        "maintenance": prose(words.maintenance) if words.maintenance else "",
    }


def _citation(blanks: Blanks) -> str:
    text = blanks.words.citation
    if not text:
        return blanks.blank("how to cite the set", "citation")
    return fenced(text, "bibtex" if text.lstrip().startswith("@") else "")


def _opening(facts: SetFacts, dataset: Dataset) -> str:
    seconds = sum(split.seconds for split in facts.splits)
    people = len({clip.face_id for clip in dataset.rows if clip.face_id and clip.split not in dataset.build.withheld})
    who = f" of {plural(people, 'person', 'people')}" if people and not dataset.build.withheld else ""
    drawn = " Every face and voice in it is synthetic." if facts.talkers else ""
    return (
        f"A set for the detection of audio-visual deepfakes: {markdown(counted(facts, who))}, {duration(seconds)} "
        f"in all, some genuine and some forged in picture, sound or their agreement.{drawn}"
    )


def _n_clips(facts: SetFacts) -> str:
    told = []
    for split in facts.splits:
        if split.real is None:
            told.append(f"{split.name}: {split.clips}, labels withheld")
        else:
            rest = f", {split.unknown} without a label" if split.unknown else ""
            told.append(f"{split.name}: {split.real} real, {split.fake} fake{rest}")
    every = f"{facts.clips}, versions counted" if facts.platforms else str(facts.clips)
    return f"{every}; {'; '.join(told)}"


def _technical(facts: SetFacts) -> str:
    low, high = facts.seconds
    length = f"{low:.2f} s" if round(low, 2) == round(high, 2) else f"{low:.2f} to {high:.2f} s"
    sizes = listing([f"{width} × {height}" for width, height in facts.sizes], 8)
    rates = listing([f"{rate:g}" for rate in facts.fps], 8)
    sound = listing([f"{rate / 1000:g}" for rate in facts.rates], 8)
    return f"{length} each; {sizes} pixels; {rates} frames per second; sound at {sound} kHz"


def _languages(facts: SetFacts, blanks: Blanks) -> str:
    found = blanks.words.languages or (("en",) if facts.talkers else ())
    return ", ".join(found) or blanks.blank("languages that are spoken", "languages")


def _made_with(facts: SetFacts) -> str:
    version = facts.build.versions.get("cmdfd")
    made = f"cmdfd {markdown(version)}" if version else "cmdfd"
    if facts.build.withheld:
        return f"{made}; recipe, seed and hash are withheld with the labels"
    name = facts.build.recipe.get("name", facts.build.name)
    return f"{made}, recipe {markdown(name)}, hash {markdown(facts.build.recipe_hash)}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{markdown(name)} ({plural(count, 'clip')})" for name, count in counts.items())


def _split_row(split: SplitFacts) -> list[str]:
    numbers = (split.real, split.fake, split.components, split.faces, split.voices)
    told = [WITHHELD if number is None else str(number) for number in numbers]
    return [split.name, str(split.clips), *told, duration(split.seconds)]


def _collection(facts: SetFacts, blanks: Blanks) -> str:
    if facts.talkers:
        said = "faces were drawn and sentences spoken by cmdfd's embedded talkers; nobody was recorded."
        return f"{said} {prose(blanks.words.collection)}" if blanks.words.collection else said
    return blanks.said("collection", "how the recordings were made or collected, when, by whom")


def _sides(names: Iterable[str], staged: Staged) -> str:
    """What lies beside the clips, as far as it goes public."""
    names = tuple(names)
    packed = staged.layout != "videofolder"
    beside = []
    if any(name.startswith("masks/") for name in names):
        where = "`masks/<split>-000000.tar`" if packed else "`masks/000/<id>.mkv`"
        beside.append(f"{where} (lossless grey: how much of a pixel is foreign, same frames as its video)")
    if any(name.startswith("tracks/") for name in names):
        beside.append("`tracks/<split>-000000.tar` (face points)" if packed else "`tracks/000/<id>.npz` (face points)")
    if any(name.endswith("/labels.parquet") for name in names):
        beside.append("`<split>/labels.parquet` (labels, people, sources, segments)")
    if "provenance.parquet" in names:
        beside.append("`provenance.parquet` (how each clip was made)")
    beside += [f"`{name}`" for name in ("stages.parquet", "refused.parquet", "build.json", TOMBSTONES) if name in names]
    return f"Beside them: {listing(beside, 20)}." if beside else ""


def _disjoint(facts: SetFacts) -> str:
    if len(facts.splits) == 1:
        kinds = "" if not facts.kinds else f", with {plural(len(facts.kinds), 'kind')} of fakes"
        return f"there is one, {facts.splits[0].name}{kinds}."
    apart, shared = [], []
    for name, what in (("faces", "face"), ("voices", "voice"), ("recordings", "recording"), ("transcripts", "text")):
        counts = [(one, getattr(one, name)) for one in facts.overlaps if getattr(one, name) is not None]
        pairs = [f"{count} of {one.first} and {one.second}" for one, count in counts if count]
        if pairs:
            shared.append(f"{what}s in two splits: {listing(pairs)}")
        elif counts:
            apart.append(what)
    sentences = [f"no {listing(apart).replace(' and ', ' or ')} is in two splits"] if apart else []
    return f"{'; '.join([*sentences, *shared])}. {_where_kinds(facts)}".strip()


def _where_kinds(facts: SetFacts) -> str:
    told = {split.name for split in facts.splits if split.fake}
    partly = [kind for kind in facts.kinds if set(kind.splits) != told]
    if partly:
        return f"Only in some: {listing([f'{markdown(kind.kind)} in {listing(kind.splits)}' for kind in partly], 30)}."
    withheld = "" if all(split.fake is not None for split in facts.splits) else " whose labels are open"
    return f"All {plural(len(facts.kinds), 'kind')} of fakes are in every split{withheld}." if facts.kinds else ""


def _kind_row(kind: KindFacts) -> list[str]:
    return [
        markdown(kind.kind),
        listing([markdown(name) for name in kind.generators], 12),
        "; ".join(kind.forged) or NOTHING,
        kind.stretches or NOTHING,
        listing([markdown(name) for name in kind.variants], 12) or NOTHING,
        str(kind.clips),
        listing(kind.splits),
        listing([markdown(name) for name in kind.licences], 12) or "not recorded",
    ]


def _common_stage(facts: SetFacts) -> str:
    stage = (
        "All clips, real and fake, passed the same last stage: one canvas, frame rate, sample rate and loudness, a "
        "common end of sound and picture, one encoder setting, no tags."
    )
    if facts.scenes:
        stage = stage.replace("one canvas", "one canvas for each layout of scenes")
    if facts.platforms:
        stage += " Platform versions were then sent through an emulated platform, real and fake alike."
    encoder = facts.build.encoder
    told = [f"{word} {_value(encoder[name])}" for name, word in _ENCODER.items() if encoder.get(name) is not None]
    return f"{stage} Encoder: {markdown(', '.join(told))}." if told else stage


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        value = list(dict.fromkeys(value))  # a range of one value is that value
        return " to ".join(str(one) for one in value)
    return str(value)


def _sham(facts: SetFacts, blanks: Blanks) -> str:
    if facts.sham is None:
        return blanks.blank("whether real clips passed the generators' steps as well")
    through = [f"{count} the steps of {markdown(name)}" for name, count in facts.sham.generators.items()]
    if not through:
        return (
            f"all {plural(facts.sham.others, 'real clip')} were decoded, harmonised and encoded like the fakes; none "
            "passed a generator's own steps."
        )
    text = f"of the real clips, {listing(through, 30)} passed, without being forged; {facts.sham.others} only the "
    text += "decoding and encoding that all clips pass."
    if facts.sham.without:
        text += f" None passed the steps of {listing([markdown(name) for name in facts.sham.without], 30)}."
    return text


def _marks(facts: SetFacts) -> str:
    if not facts.marks:
        return "none in the media."
    told = [f"{markdown(name)} ({real} real, {fake} fake clips)" for name, (real, fake) in facts.marks.items()]
    return f"{listing(told, 20)}."


def _traces(facts: SetFacts, audit: AuditReport | None, blanks: Blanks) -> str:
    if not blanks.words.traces and audit is not None and audit.status == "passed" and not audit.flagged:
        said = "the audit showed none."
    else:
        said = blanks.said("traces", "which cues remain, and why")
    told = [kind for kind in facts.kinds if kind.known_cues]
    if not told:
        return said
    lines = [f"- {markdown(kind.kind)}: {'; '.join(markdown(cue) for cue in kind.known_cues)}" for kind in told]
    return f"{said}\n\nWhat the generators are known to leave:\n\n" + "\n".join(lines)


def _ledger_rows(ledger: Ledger) -> list[list[str]]:
    rows = [
        [markdown(row.licence), markdown(row.consent), "yes" if row.pristine else "no"]
        + [str(count) for count in (row.clips, row.recordings, row.people)]
        for row in ledger.rows
    ]
    if ledger.withheld:
        overall = ledger.overall
        told = [f"{markdown(overall.licence)} at most", markdown(overall.consent), WITHHELD, str(ledger.withheld)]
        rows.append([*told, WITHHELD, WITHHELD])
    return rows


def _overrides(ledger: Ledger, checked: Checked, blanks: Blanks) -> str:
    made = [f"{overridden(clips)}: {markdown(reason)}" for reason, clips in ledger.overrides.items()]
    made += [f"{code}, lifted when the set was published: {markdown(why)}" for code, why in checked.overrides.items()]
    if not made:
        return "none."
    by = blanks.words.overrides_by
    who = markdown(by) if by else blanks.blank("who decided on them", "overrides_by")
    return f"by {who}:\n\n" + "\n".join(f"- {one}" for one in made)


def _personal(facts: SetFacts, ledger: Ledger, names: Iterable[str], blanks: Blanks) -> str:
    consents = {row.consent for row in ledger.rows} | {ledger.overall.consent}
    said = f" {prose(blanks.words.personal_data)}" if blanks.words.personal_data else ""
    scrubbed = "Local paths and user names are scrubbed from all tables and documents."
    if "provenance.parquet" in set(names) and any(one.transcripts is not None for one in facts.overlaps):
        scrubbed += " What is said is written out in `provenance.parquet`."
    if consents == {"synthetic"}:
        return f"no real person is shown or heard; all sources are marked synthetic. {scrubbed}{said}"
    told = listing([f"{markdown(name)}" for name in sorted(consents - {"synthetic"})])
    text = f"faces and voices of real people (consent: {told}). People have codes instead of names. {scrubbed}"
    more = "what else about people is in the set, or was removed"
    return f"{text}{said}" if said else f"{text} {blanks.blank(more, 'personal_data')}"


def _limits(facts: SetFacts) -> str:
    lines = []
    for split in facts.splits:
        if split.components is None:
            continue
        few = (
            f", under {RELIABLE_COMPONENTS}: intervals are unreliable" if split.components < RELIABLE_COMPONENTS else ""
        )
        lines.append(f"- {split.name}: {plural(split.components, 'component')}{few}.")
    if lines:
        lines.append("- The width of every interval follows from the number of components, not of clips.")
    if facts.talkers:
        lines.append("- Faces are drawn and voices synthetic: a score here is no evidence of accuracy on real people.")
    if facts.build.refused:
        told = [f"{markdown(code)} ({count})" for code, count in sorted(facts.build.refused.items())]
        lines.append(f"- Planned clips or files that could not be made or used: {listing(told, 30)}.")
    lines += [f"- {markdown(note)}" for note in facts.build.notes]
    return "\n".join(lines)


def _takedown(blanks: Blanks) -> str:
    days = blanks.words.takedown_days
    if days is None:
        return blanks.blank("within how many days it is done", "takedown_days")
    return f"It is done within {plural(days, 'day')}."
