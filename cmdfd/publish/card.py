"""The card of a set: README.md, from facts, the audit and the publisher's words, with what is lacking left visible."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, MissingExtraError
from cmdfd.publish import gate
from cmdfd.publish.blanks import Blanks
from cmdfd.publish.formats import data_files, dataset_info
from cmdfd.publish.licences import hub_licence
from cmdfd.publish.sections import sections
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from cmdfd.audit.records import AuditReport
    from cmdfd.dataset import Dataset
    from cmdfd.publish.facts import SetFacts
    from cmdfd.publish.licences import Ledger
    from cmdfd.publish.records import Checked, Repo, Staged
    from cmdfd.publish.words import CardWords

#: File of the template, at the top of the repository and in `share/cmdfd` of an installation.
TEMPLATE = "dataset_card.md"
#: What the card says without anybody's words, for all sets that are made here.
TASKS = ["video-classification", "audio-classification"]
_SIZES = (("n<1K", 1_000), ("1K<n<10K", 10_000), ("10K<n<100K", 100_000), ("100K<n<1M", 1_000_000))


def template_path() -> Path:
    """The template: of the checkout, or of the installation.

    Raises:
        CmdfdError: Where neither has it.
    """
    root = Path(__file__).resolve().parents[2]
    places = [root / TEMPLATE, root / "share" / "cmdfd" / TEMPLATE]
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    places += [Path(sysconfig.get_path("data", scheme)) / "share" / "cmdfd" / TEMPLATE for scheme in schemes]
    for place in places:
        if place.is_file():
            return place
    raise CmdfdError(f"{TEMPLATE} is not where it is installed to ({places[2]}); install cmdfd again")


def card(
    dataset: Dataset,
    facts: SetFacts,
    ledger: Ledger,
    staged: Staged,
    checked: Checked,
    repo: Repo,
    words: CardWords,
    audit: AuditReport | None,
) -> tuple[str, tuple[str, ...]]:
    """Fill the template.

    Args:
        dataset: The set at home.
        facts: Of `set_facts`.
        ledger: Of `licence_ledger`.
        staged: What goes public.
        checked: The checks before publishing.
        repo: Where it goes.
        words: What the publisher says.
        audit: As it goes public, or None.

    Returns:
        The text of README.md, and its blanks, each once, in the order of the card.

    Raises:
        MissingExtraError: Without huggingface_hub.
    """
    try:
        from huggingface_hub import DatasetCard
    except ImportError as error:
        raise MissingExtraError("hub", "the card of a data set") from error
    blanks = Blanks(words)
    values = sections(dataset, facts, ledger, staged, checked, repo, audit, blanks)
    data = card_data(dataset, facts, ledger, staged, repo, words)
    made = DatasetCard.from_template(data, template_path=str(template_path()), **values)
    text = str(made).rstrip() + "\n"
    return text, tuple(sorted(blanks.left, key=lambda blank: text.find(f"[to be filled: {blank}]")))


def card_data(dataset: Dataset, facts: SetFacts, ledger: Ledger, staged: Staged, repo: Repo, words: CardWords) -> Any:
    """The front matter, as the Hub's client writes it.

    Args:
        dataset: The set at home.
        facts: Of `set_facts`.
        ledger: Of `licence_ledger`.
        staged: What goes public.
        repo: Where it goes.
        words: What the publisher says.
    """
    from huggingface_hub import DatasetCardData

    licence = hub_licence(ledger.overall.licence, repo.id, repo.tag)
    info = None if staged.recipe_only else dataset_info(staged.layout, dataset)
    extra: dict[str, Any] = {} if info is None else {"dataset_info": info}
    if licence.license == "other":
        extra |= {"license_name": licence.name, "license_link": licence.link}
    if words.contact:
        extra["extra_gated_description"] = f"Questions, and requests to take clips out: {clean(words.contact)}"
    return DatasetCardData(
        pretty_name=clean(words.title or dataset.name),
        license=licence.license,
        language=list(languages(facts, words)) or None,
        size_categories=[size_category(facts.clips)],
        task_categories=TASKS,
        annotations_creators=["machine-generated"],
        source_datasets=["original"],
        tags=_tags(facts),
        configs=_configs(facts, staged),
        extra_gated_heading=gate.HEADING,
        extra_gated_prompt=gate.prompt(ledger.overall.licence),
        extra_gated_fields=dict(gate.fields(ledger.overall.licence)),
        **extra,
    )


def languages(facts: SetFacts, words: CardWords) -> tuple[str, ...]:
    """ISO 639 codes: the publisher's, or that of the embedded talkers, who speak English; empty where nobody knows."""
    return words.languages or (("en",) if facts.talkers else ())


def size_category(clips: int) -> str:
    """The Hub's class of size.

    >>> size_category(360), size_category(1000)
    ('n<1K', '1K<n<10K')
    """
    return next((name for name, below in _SIZES if clips < below), "1M<n<10M")


def _tags(facts: SetFacts) -> list[str]:
    tags = ["deepfake-detection", "audio-visual", "croissant"]
    tags += ["temporal-localization"] if facts.segments else []
    return tags + (["forgery-localization"] if facts.masks else [])


def _configs(facts: SetFacts, staged: Staged) -> list[dict[str, Any]] | None:
    names = [split.name for split in facts.splits]
    patterns = data_files(staged.layout, names)
    if staged.recipe_only:
        patterns = {name: [f"{name}/metadata.parquet"] for name in names}
    found = [{"split": name, "path": paths if len(paths) > 1 else paths[0]} for name, paths in patterns.items()]
    return [{"config_name": "default", "default": True, "data_files": found}]
