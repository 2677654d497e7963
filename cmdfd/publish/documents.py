"""The documents of a published set: card, Croissant, audit, licence, and eval.yaml where a framework is named."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cmdfd.audit.report.store import to_json
from cmdfd.cache import write_atomic
from cmdfd.publish import gate
from cmdfd.publish.card import card
from cmdfd.publish.croissant import FILE as CROISSANT
from cmdfd.publish.croissant import croissant
from cmdfd.publish.disclosure import public_report, scrubbed
from cmdfd.publish.evaluation import FILE as EVALUATION
from cmdfd.publish.evaluation import evaluation
from cmdfd.publish.facts import set_facts
from cmdfd.publish.licences import hub_licence, licence_ledger, licence_text
from cmdfd.publish.records import StagedFile
from cmdfd.publish.scrub import private_of
from cmdfd.publish.staging import private_records
from cmdfd.publish.words import CardWords, read_words

if TYPE_CHECKING:
    from cmdfd.dataset import Dataset
    from cmdfd.publish.records import Checked, Repo, Staged

__all__ = ["AUDIT", "CardWords", "read_words", "write_documents"]

AUDIT = "audit.json"


def write_documents(
    dataset: Dataset, staged: Staged, checked: Checked, repo: Repo, words: CardWords, *, framework: str | None
) -> tuple[str, ...]:
    """Write README.md, croissant.json, audit.json, LICENSE and, with a framework, eval.yaml into the public copy.

    The same arguments give the same bytes.

    Args:
        dataset: The set at home, with its labels.
        staged: The public copy.
        checked: The checks before publishing, with their audit.
        repo: Where it goes.
        words: What the publisher says.
        framework: For eval.yaml; None writes none.

    Returns:
        What the card leaves to be filled, in its order.

    Raises:
        CmdfdError: For an odd framework, a package that is missing, or metadata that mlcroissant refuses.
    """
    private = private_of(dataset.folder, private_records(dataset))
    facts, ledger = set_facts(dataset, private), scrubbed(licence_ledger(dataset), private)
    checked = replace(checked, notes=scrubbed(checked.notes, private), overrides=scrubbed(checked.overrides, private))
    documents: dict[str, str] = {}
    if framework is not None:
        summary = f"Detection of audio-visual deepfakes: {facts.clips} clips."
        documents[EVALUATION] = evaluation(dataset.name, summary, dataset.splits, framework)
    audit = None if checked.audit is None else public_report(checked.audit, dataset, private)
    if audit is not None:
        documents[AUDIT] = to_json(audit)
    licence = hub_licence(ledger.overall.licence, repo.id, repo.tag)
    documents["LICENSE"] = licence_text(dataset.name, ledger, licence, gate.licence_lines(ledger.overall.licence))
    documents["README.md"], blanks = card(dataset, facts, ledger, staged, checked, repo, words, audit)
    for name, text in documents.items():
        write_atomic(staged.folder / name, text.encode())
    told = _with_audit(staged, documents.get(AUDIT))
    documents[CROISSANT] = croissant(dataset, facts, ledger, told, repo, words, audit).text
    write_atomic(staged.folder / CROISSANT, documents[CROISSANT].encode())
    if framework is None:
        (staged.folder / EVALUATION).unlink(missing_ok=True)  # of an earlier run
    return blanks


def _with_audit(staged: Staged, text: str | None) -> Staged:
    """The staged files together with the audit, which is data for other programs."""
    kept = [file for file in staged.files if file.path != AUDIT]
    if text is not None:
        data = text.encode()
        kept.append(StagedFile(AUDIT, len(data), hashlib.sha256(data).hexdigest()))
    return replace(staged, files=tuple(sorted(kept, key=lambda file: file.path)))
