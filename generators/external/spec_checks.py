"""What a spec must keep beyond the types of its fields."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cmdfd.errors import nearest
from generators.external.template import FILES, PLACEHOLDERS, placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.external.spec import ExternalSpec

#: Placeholders that stand for an input; they need the table of the same name.
_OF_INPUT = {
    "face": "face", "audio": "audio", "source_face": "source_face", "driving": "driving", "reference": "reference",
    "text": "text", "text_file": "text", "reference_text": "reference_text",
}  # fmt: skip
_WILD = frozenset("*?[")


def contradictions(spec: ExternalSpec) -> list[str]:
    """Every statement of a spec that another one of it denies, as "field: sentence"."""
    return [*_templates(spec), *_streams(spec), *_names(spec)]


def texts(spec: ExternalSpec) -> Iterator[tuple[str, str]]:
    """Every text that may hold placeholders, with the place where it stands."""
    run, runtimes = spec.run, spec.runtimes
    lists = {"run.argv": run.argv, "run.seed_arg": run.seed_arg, "run.cpu_args": run.cpu_args}
    lists |= {f"run.flags.{name}": arguments for name, arguments in run.flags.items()}
    for where, arguments in lists.items():
        yield from ((where, text) for text in arguments)
    yield from ((f"run.env.{name}", text) for name, text in run.env.items())
    yield from ((f"run.files.{index}", one.text) for index, one in enumerate(run.files))
    if runtimes.cog is not None:
        yield from ((f"runtimes.cog.inputs.{name}", text) for name, text in runtimes.cog.inputs.items())
    if runtimes.http is not None:
        yield from ((f"runtimes.http.fields.{name}", text) for name, text in runtimes.http.fields.items())


def _templates(spec: ExternalSpec) -> Iterator[str]:
    for where, text in texts(spec):
        if "\0" in text:
            yield f"{where}: holds a character U+0000, which no command line can"
        for name in placeholders(text):
            problem = _placeholder(spec, name)
            if problem:
                yield f"{where}: {problem}"
    if "{" in spec.output.path:
        yield "output.path: takes no placeholders: use a glob"
    if any("**" in part and part != "**" for part in PurePosixPath(spec.output.path).parts):
        yield "output.path: ** must stand alone between slashes"
    for name in spec.run.flags:
        if not isinstance(spec.params.get(name), bool):
            yield f"run.flags.{name}: params.{name} must be true or false"


def _placeholder(spec: ExternalSpec, name: str) -> str:
    base, _, part = name.partition(".")
    if base in {"weights", "param"}:
        known = [one.name for one in spec.weights] if base == "weights" else list(spec.params)
        return "" if part in known else f"unknown {{{name}}}: {nearest(part, known)}"
    if base not in PLACEHOLDERS or (part and (base not in FILES or part not in {"name", "stem"})):
        return f"unknown {{{name}}}: {nearest(base, [*PLACEHOLDERS, 'weights', 'param'])}"
    return _unmet(spec, base)


def _unmet(spec: ExternalSpec, base: str) -> str:
    if base in _OF_INPUT and getattr(spec.inputs, _OF_INPUT[base]) is None:
        return f"{{{base}}} needs [inputs.{_OF_INPUT[base]}]"
    if base == "text_file" and spec.inputs.text is not None and spec.inputs.text.form != "file":
        return '{text_file} needs inputs.text with as = "file"'
    if base == "out" and _WILD & set(spec.output.path):
        return "{out} needs an output.path without wildcard; there is {out_dir}"
    if base == "driver" and spec.run.driver is None:
        return "{driver} needs run.driver"
    return ""


def _streams(spec: ExternalSpec) -> Iterator[str]:
    output, inputs, makes = spec.output, spec.inputs, spec.makes
    sound_alone = spec.family in {"tts", "vc"}
    checks = (
        ("FV" in makes and not output.picture, f"output.picture: must be true where makes = {makes!r}"),
        (makes == "RVFA" and output.picture, "output.picture: must be false where makes = 'RVFA'"),
        ("FA" in makes and output.sound != "own", f"output.sound: must be 'own' where makes = {makes!r}"),
        (sound_alone and makes != "RVFA", f"makes: a {spec.family} forges sound alone: 'RVFA', not {makes!r}"),
        (
            output.sound == "driving" and inputs.audio is None and inputs.driving is None,
            "output.sound: 'driving' needs [inputs.audio] or [inputs.driving]; for faces alone use 'source'",
        ),
        (
            output.fit == "stretch" and (output.picture or output.sound != "own"),
            "output.fit: 'stretch' is for sound alone",
        ),
        (not sound_alone and inputs.face is None, f"inputs: family {spec.family!r} needs [inputs.face]"),
        (
            not output.picture and (output.crop is not None or output.fps_true is not None),
            "output: crop and fps_true need picture = true",
        ),
    )
    yield from (sentence for wrong, sentence in checks if wrong)
    for name in ("face", "source_face", "driving"):
        one = getattr(inputs, name)
        if one is not None and one.kind == "image" and (one.fps is not None or one.pad_seconds):
            yield f"inputs.{name}: an image has neither fps nor pad_seconds"


def _names(spec: ExternalSpec) -> Iterator[str]:
    names = [one.name for one in spec.weights]
    if len(set(names)) != len(names):
        yield "weights: two of them have the same name"
    for kept in spec.run.keep:
        if not any(PurePosixPath(kept).is_relative_to(PurePosixPath(one)) for one in spec.run.private):
            yield f"run.keep: {kept!r} does not lie in a folder of run.private"
    if spec.runtimes.default in {"cog", "http"} and getattr(spec.runtimes, spec.runtimes.default) is None:
        yield f"runtimes.default: {spec.runtimes.default!r} needs the table [runtimes.{spec.runtimes.default}]"
    if spec.run.min_seconds >= spec.run.max_seconds:
        yield "run.min_seconds: must be below run.max_seconds"
