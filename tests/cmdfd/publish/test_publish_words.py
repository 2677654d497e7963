"""The publisher's words are read or refused in plain words, and made safe as Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cmdfd.errors import CmdfdError
from cmdfd.publish.words import CardWords, fenced, prose, read_words

#: Seven lines that name ten million values.
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: a\nsumary: b\n", r":2: sumary: .*did you mean 'summary'"),
        ("title: a\ntakedown_days: soon\n", ":2: takedown_days: must be a whole number, got 'soon'; days as"),
        ("takedown_days: 0\n", ":1: takedown_days: must be at least 1, got 0"),
        ("languages: [en, English]\n", ":1: languages.1: .*got 'English'; a list of codes of ISO 639"),
        ("changes:\n  - version: v1\n    date: yesterday\n", ":3: changes.0.date: "),
        ("changes:\n  - version: v1\n    extra: 1\n", ":3: changes.0.extra: is no field here; "),
        ("languages: en\n", ":1: languages: must be a list, got 'en'; a list of codes"),
        ("maintainers: Ann\n", ":1: maintainers: must be a list, got 'Ann'; a list of names"),
        ("summary: 12\n", r":1: summary: must be text \(in quotes.*, got 12"),
        ("title: [a]\n", ":1: title: must be text .*, got a list"),
        ("changes: {version: v1}\n", ":1: changes: must be a list, got a mapping of names; a list of versions"),
        ("changes: [v1.0.0]\n", ":1: changes.0: must be a mapping of names to values, got 'v1.0.0'"),
        ("changes:\n  - versoin: v1\n", r":2: changes.0.version: is missing"),
        ("changes:\n  - {version: v1, dat: x}\n", ":2: changes.0.dat: is no field here; did you mean 'date'"),
        ("title: ''\n", ":1: title: must have at least 1 character"),
        ("- a\n", "names with values"),
        ("title: [\n", "not YAML"),
        (BOMB, "more than"),
        ("title: " + "x" * 600_000, "bytes"),
    ],
)  # fmt: skip
def test_wrong_words_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(text)
    with pytest.raises(CmdfdError, match=said) as caught:
        read_words(path)
    assert str(path) in str(caught.value)
    assert not re.search(r"Input|tuple|Extra|permitted|valid|dictionary|instance|integer", str(caught.value))


def test_words_are_read(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("title: T\nsummary: |\n  one\n\n  two\nchanges:\n  - {version: v1.0.0, date: 2026-11-27}\n")
    words = read_words(path)
    assert words.summary == "one\n\ntwo\n" and words.changes[0].date == "2026-11-27"
    assert read_words(None) == CardWords()
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_words(tmp_path / "empty.yaml") == CardWords()
    with pytest.raises(CmdfdError, match="cannot be read"):
        read_words(tmp_path / "none.yaml")


def test_words_keep_markdown_but_no_html_and_no_heading() -> None:
    assert prose("*a* [b](https://c)\n\n- d") == "*a* [b](https://c)\n\n- d"
    assert prose("x\n---\n# y\n===\n<img src=x>\n```\nz") == "x\n\\---\n\\# y\n\\===\n&lt;img src=x>\n\\```\nz"
    assert fenced("a ``` b").splitlines()[0] == "````"
