"""Every generator with its terms: `python -m generators.list [--family NAME] [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, nearest
from generators.generator import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.external.spec import ExternalSpec
    from generators.generator import GeneratorSpec

#: Which streams an in-process family forges; R real, F fake, V video, A audio. A pairing forges none of them, only
#: that they belong together, and an edit forges what it is told to.
_MAKES = {
    "sham": "RVRA", "pairing": "RVRA", "lipsync": "FVRA", "talking-head": "FVRA", "reenact": "FVRA",
    "faceswap": "FVRA", "tts": "RVFA", "vc": "RVFA",
}  # fmt: skip
_BY_STREAMS = {frozenset({"audio"}): "RVFA", frozenset({"video"}): "FVRA"}
_OWN_TERMS = "the model's own"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list.

    Args:
        name: As recipes name it.
        kind: "in-process" or "external".
        title: Its makers' name for it.
        family: One of `generators.generator.FAMILIES`.
        makes: Streams that it forges: RVFA, FVRA, FVFA, RVRA (none, only their agreement), or several with "/".
        summary: One line.
        code_licence: Licence of its code.
        weights_licence: Terms of its weights, "none" where it has none.
        data: What the weights were trained on, "" where there are none.
        output_terms: What clips inherit, "" for nothing.
        commercial: Whether its terms allow commercial use; None where that depends on the model.
        redistribution: Whether its terms allow to pass code and weights on; None as above.
        watermark: What it marks its output with.
        filter: Safety features that stay on.
        verified: "run" where its program was run by the project, if need be with random weights; "argv" where only its
            command line was checked.
        version: Goes up when the same job would give other bytes.
        params: Parameters of recipes with their defaults.
        known_cues: Traces besides the forgery.
        homepage, citation: Where it comes from.
    """

    name: str
    kind: str
    title: str
    family: str
    makes: str
    summary: str
    code_licence: str
    weights_licence: str
    data: str
    output_terms: str
    commercial: bool | None
    redistribution: bool | None
    watermark: str
    filter: str
    verified: str
    version: int
    params: dict[str, Any]
    known_cues: tuple[str, ...]
    homepage: str
    citation: str


def listed_in_process(spec: GeneratorSpec, name: str = "") -> Listed:
    """What is told of a generator that runs inside this program."""
    modelled = spec.family == "tts"  # the only ones that load weights, which the user chooses
    free = None if modelled else not spec.output_licence
    return Listed(
        name=name or spec.name,
        kind="in-process",
        title=spec.name,
        family=spec.family,
        makes=_MAKES.get(spec.family) or _BY_STREAMS.get(frozenset(spec.modalities), "RVFA/FVRA/FVFA"),
        summary=spec.summary,
        code_licence=spec.licence,
        weights_licence=_OWN_TERMS if modelled else "none",
        data="",
        output_terms=_OWN_TERMS if modelled else spec.output_licence,
        commercial=free,
        redistribution=free,
        watermark=spec.watermark,
        filter="",
        verified="run",
        version=spec.version,
        params=json.loads(json.dumps(dict(spec.params), default=str)),
        known_cues=tuple(spec.known_cues),
        homepage="",
        citation=spec.citation,
    )


def listed_external(spec: ExternalSpec) -> Listed:
    """What is told of a generator that the user installs."""
    terms = spec.licences
    return Listed(
        name=spec.name,
        kind="external",
        title=spec.title,
        family=spec.family,
        makes=spec.makes,
        summary=spec.summary,
        code_licence=terms.code,
        weights_licence=terms.weights,
        data=terms.data,
        output_terms=terms.output,
        commercial=terms.commercial,
        redistribution=terms.redistribution,
        watermark=spec.marks.watermark,
        filter=spec.marks.filter,
        verified=spec.verified,
        version=spec.version,
        params=dict(spec.params),
        known_cues=tuple(spec.known_cues),
        homepage=spec.homepage,
        citation=spec.citation,
    )


def all_listed(family: str | None = None) -> list[Listed]:
    """In-process generators and plug-ins in their order, then external ones by name; user's own specs included.

    Args:
        family: Only those of this family.

    Raises:
        CmdfdError: For an unknown family, or a user's spec that breaks the schema.
    """
    from generators.external.catalogue import find_spec, spec_paths
    from generators.registry import GENERATORS

    if family is not None and family not in FAMILIES:
        raise CmdfdError(f"unknown family {family!r}: {nearest(family, FAMILIES)}")
    found = [listed_in_process(made.spec, name) for name, made in GENERATORS.load_all()]
    found += [listed_external(find_spec(word)) for word in spec_paths()]
    return [one for one in found if family is None or one.family == family]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0, or 2 for a mistake in the command or in a spec."""
    parser = argparse.ArgumentParser(
        prog="python -m generators.list",
        description="List all generators with their licences. The cells about terms are reading notes, no legal "
        "advice: read the terms themselves.",
    )
    parser.add_argument("--family", metavar="NAME", help=f"only one of: {', '.join(FAMILIES)}")
    parser.add_argument("--json", action="store_true", help="everything that is known, as JSON")
    named = parser.parse_args(arguments)
    try:
        found = all_listed(named.family)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if named.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False) + "\n")
    else:
        show(found)
    return 0


def show(found: Sequence[Listed]) -> None:
    """Print the list as a table that fits 100 columns."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_lines=True, title="generators", title_justify="left")
    table.add_column("name", overflow="fold", min_width=22)
    table.add_column("makes", overflow="fold", width=5)
    table.add_column("what it is", overflow="fold", ratio=4)
    table.add_column("terms", overflow="fold", ratio=5)
    for one in found:
        name = f"{escape(one.name)}\n[dim]{one.family}, {one.verified}[/dim]"
        table.add_row(name, one.makes.replace("/", "\n"), escape(one.summary), escape(_terms(one)))
    console = Console()
    console.print(table)
    console.print(
        "makes: R real, F fake, V video, A audio; RVRA: only their agreement is forged. run: its program was run by "
        "us; argv: only its command line was checked. External ones are installed by you: python -m generators.doctor "
        "NAME says how. Terms are reading notes, no legal advice.",
        highlight=False,
        markup=False,
    )


def _terms(one: Listed) -> str:
    allowed = {True: "yes", False: "no", None: "as the model says"}[one.commercial]
    lines = [f"code: {one.code_licence}"]
    if one.weights_licence != "none":
        lines.append(f"weights: {one.weights_licence}")
    lines.append(f"clips: {one.output_terms or 'no terms'}; commercial use: {allowed}")
    if one.watermark and not one.watermark.startswith("none"):
        lines.append(f"marks: {one.watermark}")
    if one.filter:
        lines.append(f"filter: {one.filter}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
