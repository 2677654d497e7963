"""Renders pages: jinja2 with automatic escaping, one style sheet, no script, nothing loaded from anywhere."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.report.palette import palette_css
from cmdfd.report.text import NOTHING, clean

if TYPE_CHECKING:
    from jinja2 import Environment

    from cmdfd.report.blocks import Page

FOLDER = Path(__file__).parent / "templates"

#: No script, no frame, no form, no request: a report that names hostile files stays a document.
#: Style attributes are needed by the inline pictures; pictures come as data URIs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)


def render(template: str, **context: Any) -> str:
    """Fill a template of `cmdfd/report/templates`.

    Every expression is escaped and stripped of control signs; None prints as "–"; an undefined name is an error.

    Args:
        template: File name, e.g. "page.html.j2".
        **context: What the template names.

    Returns:
        The document.

    Raises:
        jinja2.TemplateNotFound: For a name outside the folder.
        jinja2.UndefinedError: Where the template names something that was not given.
    """
    return _environment().get_template(template).render(**context)


def render_page(page: Page) -> str:
    """Render a page that is described by blocks, which is all that most pages need.

    Args:
        page: The page.

    Returns:
        A complete HTML document that works from a file, without script and without a network.
    """
    return render("page.html.j2", page=page)


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # both come from this package alone, never from a result
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(palette_css() + style)  # noqa: S704
    environment.globals["policy"] = CONTENT_SECURITY_POLICY
    environment.filters["picture"] = picture
    return environment


def _finalize(value: Any) -> Any:
    if value is None:
        return NOTHING
    # numbers and names alike; what is marked as safe was made by our own templates
    return value if hasattr(value, "__html__") or not isinstance(value, str) else clean(value)


def picture(svg: str) -> Any:
    """Let an SVG of `cmdfd.report.plots` into the page.

    Raises:
        ValueError: For SVG that was not made there: it would not be escaped, so it is checked once more.
    """
    from markupsafe import Markup

    from cmdfd.report.plots.svg import check_safe

    check_safe(svg)
    return Markup(svg)  # noqa: S704
