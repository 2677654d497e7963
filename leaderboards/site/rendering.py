"""Fills templates: everything escaped, one style sheet and one script in the page itself, nothing loaded from anywhere.

Style and script stand in each page and the policy names their hashes. A linked file would need `'self'`, which browsers
that give every file an origin of its own do not match: a page that is opened from disk would have no style.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.report.palette import palette_css
from cmdfd.report.text import NOTHING, clean, interval, number, plural

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
#: A bar chart of three bars, so that browsers do not ask the server for a picture.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%230b5cad' "
    "d='M1 9h4v6H1zM6 2h4v13H6zM11 6h4v9h-4z'/%3E%3C/svg%3E"
)


def render(template: str, **context: Any) -> str:
    """Fill a template of `leaderboards/site/templates`.

    Every expression is escaped and stripped of control signs and direction overrides; None prints as "–"; an undefined
    name is an error.

    Args:
        template: File name, e.g. "board.html.j2".
        **context: What the template names.

    Returns:
        The document.
    """
    return environment().get_template(template).render(**context)


@functools.lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates, compiled once for all pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from leaderboards.site import bars, words

    found = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=tidy,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    style, script = style_sheet(), (FOLDER / "board.js").read_text(encoding="utf-8")
    # both come from this package alone, never from a submission
    found.globals.update(
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=policy(style),
        policy_with_script=policy(style, script),
        icon=ICON,
        plural=plural,
        words=words,
        bars=bars,
    )
    found.filters.update(
        zip_with=lambda one, other: zip(one, other, strict=True),
        num=number,
        ends=lambda one: interval(one.low, one.high),
        tidy=tidy,
        not_above=words.not_above,
    )
    return found


def tidy(value: Any) -> Any:
    """What an expression prints: "–" for None, text without signs that no escaping makes harmless."""
    if value is None:
        return NOTHING
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return value if value.isascii() and value.isprintable() else clean(value)


@functools.lru_cache(maxsize=1)
def style_sheet() -> str:
    """The colours and the style sheet, without comments and indentation."""
    text = palette_css() + (FOLDER / "style.css").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("/*"))


def policy(style: str, script: str | None = None) -> str:
    """Content security policy of a page: this style, this script, pictures in the page, and nothing else.

    Args:
        style: Text between the style tags, to the byte.
        script: Text between the script tags; None for pages without one.
    """
    scripts = f" script-src {_hash(script)};" if script is not None else ""
    return f"default-src 'none'; style-src {_hash(style)};{scripts} img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
