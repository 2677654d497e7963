"""A strict reader of pages: what a browser would forgive is an error here."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "hr", "input", "wbr"}
FORBIDDEN = {"script", "iframe", "object", "embed", "form", "base", "link", "input", "foreignobject", "animate", "set"}


class PageReader(HTMLParser):
    """Collects elements and text, and refuses bad nesting."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"attribute twice in {tag}")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.stack[-1:]} on line {self.getpos()[0]}")
        elif self.stack:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] != "style":
            self.words.append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def read(page: str) -> PageReader:
    """Parse and check what every page of the project must hold."""
    reader = PageReader()
    reader.feed(page)
    reader.close()
    assert page.startswith("<!doctype html>")
    assert not reader.problems, reader.problems[:5]
    assert not reader.stack, reader.stack
    _check_harmless(reader)
    _check_accessible(reader)
    return reader


def _check_harmless(reader: PageReader) -> None:
    policies = [a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src" not in policies[0]  # so that default-src forbids scripts
    for tag, attrs in reader.elements:
        assert tag.lower() not in FORBIDDEN, tag
        for name, value in attrs.items():
            assert not name.lower().startswith("on"), (tag, name)
            if name.lower() in {"href", "src", "xlink:href", "action", "srcset", "poster", "background", "data"}:
                assert value.startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,")), (tag, value[:80])


def _check_accessible(reader: PageReader) -> None:
    assert reader.all("html")[0]["lang"]
    assert len(reader.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in reader.elements if tag in {"h1", "h2", "h3", "h4"}]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids)), sorted({name for name in ids if ids.count(name) > 1})[:5]
    for attrs in reader.all("a", "use"):
        target = attrs.get("href") or attrs.get("xlink:href", "#content")
        assert target[1:] in ids, target
    assert all(attrs.get("scope") for attrs in reader.all("th"))
    assert len(reader.all("caption")) == len(reader.all("table"))
    assert all(attrs.get("alt") for attrs in reader.all("img"))
    pictures = [attrs for attrs in reader.all("div") if attrs.get("role") == "img"]
    assert all(attrs.get("aria-label") for attrs in pictures)
    assert all(attrs.get("aria-hidden") == "true" for attrs in reader.all("svg"))
