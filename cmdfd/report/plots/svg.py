"""From a matplotlib figure to SVG that follows the page's colours, holds no dates and no clashing ids."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

import numpy as np

from cmdfd.report.palette import LIGHT, Palette, stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_PNG_URI = "data:image/png;base64,"
_JPEG_URI = "data:image/jpeg;base64,"
#: Everything that an inline picture may consist of; anything else is refused.
_ALLOWED = frozenset(
    {"svg", "g", "path", "text", "tspan", "use", "defs", "clipPath", "rect", "image", "pattern", "title"}
)
_GEOMETRY = frozenset({"d", "transform", "x", "y", "width", "height", "points"})
#: Quality of photographs inside pictures; below 80 lips get blocks.
_JPEG_QUALITY = 82

#: What the drawing code uses instead of colours; `to_svg` turns them into the page's variables.
STAND_INS = Palette(**dict(stand_ins(LIGHT)))


@contextmanager
def drawing(*, text_as_paths: bool = False) -> Iterator[None]:
    """Settings under which every picture is drawn: fixed ids, no mathematics in names, quiet about glyphs.

    Args:
        text_as_paths: Only for tests of reproducibility across fonts.
    """
    import matplotlib as mpl

    settings = {
        "svg.fonttype": "path" if text_as_paths else "none",
        "svg.hashsalt": "cmdfd",
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "axes.unicode_minus": True,
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],
        "path.simplify": True,
        "agg.path.chunksize": 0,
    }
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", settings))
        # names may be in any script; the reader's browser has the letters that matplotlib's own font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure whose unit is the CSS pixel: fonts of size 11 are 11 pixels high at natural size.

    Args:
        width: Pixels.
        height: Pixels.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), dpi=72)


def to_svg(figure: Figure, photographs: Mapping[str, NDArray[np.uint8]] | None = None) -> str:
    """Serialise a figure drawn in `STAND_INS`.

    Args:
        figure: The figure.
        photographs: Name -> [h, w, 3] RGB; each takes the place of the rectangle whose `gid` is that name.

    Returns:
        An `<svg>` element: colours are `var(--name, light colour)`, ids are unique to its content, no metadata,
        no style element (which would reach the whole page), photographs as JPEG.
    """
    ElementTree.register_namespace("", _SVG)  # before anything is hashed: prefixes are part of the text
    ElementTree.register_namespace("xlink", _XLINK)
    buffer = io.BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib wrote it a line above
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    _strip(root)
    root.attrib.update({"width": f"{width:g}", "height": f"{height:g}", "aria-hidden": "true", "focusable": "false"})
    _photographs(root, photographs or {})
    _unique_ids(root)
    _compact(root)
    return _colour_variables(ElementTree.tostring(root, encoding="unicode"))


def _strip(root: ElementTree.Element) -> None:
    """Drop metadata and style elements; what the style said is inherited from the root instead."""
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in {"metadata", "style"}:
                parent.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}defs" and len(child) == 0:
                parent.remove(child)
    root.attrib["style"] = "stroke-linejoin:round;stroke-linecap:butt"
    root.attrib.pop("version", None)


def _unique_ids(root: ElementTree.Element) -> None:
    """Keep only ids that are referred to; call them by their order and a hash of the picture.

    matplotlib makes some ids from memory addresses, so they would differ from run to run.
    """
    used = _references(root)
    order = [element.attrib["id"] for element in root.iter() if element.attrib.get("id") in used]
    _rename(root, {name: f"p{index}" for index, name in enumerate(order)})
    digest = hashlib.sha256(ElementTree.tostring(root)).hexdigest()[:8]
    _rename(root, {f"p{index}": f"p{digest}-{index}" for index in range(len(order))})


def _references(root: ElementTree.Element) -> set[str]:
    text = ElementTree.tostring(root, encoding="unicode")
    return set(re.findall(r'url\(#([^)"]+)\)', text)) | set(re.findall(r'href="#([^"]+)"', text))


def _rename(root: ElementTree.Element, names: Mapping[str, str]) -> None:
    """Rename ids and the references to them; other ids are dropped."""
    for element in root.iter():
        old = element.attrib.pop("id", "")
        if old in names:
            element.attrib["id"] = names[old]
        for key, value in list(element.attrib.items()):
            if key == _HREF and value.startswith("#"):
                element.attrib[key] = "#" + names[value[1:]]
            elif "url(#" in value:
                element.attrib[key] = re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{names[found[1]]})", value)


def _photographs(root: ElementTree.Element, photographs: Mapping[str, NDArray[np.uint8]]) -> None:
    """Put photographs as JPEG where rectangles of their name were drawn: a tenth of a PNG's bytes and time."""
    for element in root.iter(f"{{{_SVG}}}g"):
        image = photographs.get(element.attrib.get("id", ""))
        path = element.find(f"{{{_SVG}}}path")
        if image is None or path is None:
            continue
        numbers = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", path.attrib["d"])]
        left, right = min(numbers[0::2]), max(numbers[0::2])
        top, bottom = min(numbers[1::2]), max(numbers[1::2])
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        element.remove(path)
        photo = ElementTree.SubElement(element, f"{{{_SVG}}}image", {k: f"{v:.2f}" for k, v in place.items()})
        photo.attrib["preserveAspectRatio"] = "none"
        photo.attrib[_HREF] = _JPEG_URI + base64.b64encode(_jpeg(image)).decode("ascii")


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).convert("RGB").save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _compact(root: ElementTree.Element) -> None:
    """Two decimals are a hundredth of a pixel; and no white space between elements. Labels stay as they are."""
    for element in root.iter():
        for name in _GEOMETRY & element.attrib.keys():
            element.attrib[name] = re.sub(r"(\d\.\d{2})\d+", r"\1", " ".join(element.attrib[name].split()))
        if not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None


def _colour_variables(text: str) -> str:
    """Turn stand-in colours into custom properties that fall back to the light palette."""
    light: Mapping[str, str] = dict(LIGHT.items())
    for name, colour in STAND_INS.items():
        text = text.replace(colour, f"var(--{name},{light[name]})")
    return text


def to_png(figure: Figure, *, scale: float = 2.0) -> bytes:
    """Serialise a figure drawn in a real palette, without date or version.

    Args:
        figure: The figure.
        scale: Pixels of the picture for each pixel of the figure.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=72 * scale, metadata={"Software": None})
    return buffer.getvalue()


def check_safe(svg: str) -> None:
    """Refuse SVG that could do anything but be looked at.

    Raises:
        ValueError: For elements, attributes or references that the plots of this package never make.
    """
    if "<!" in svg or "<?" in svg:
        raise ValueError("inline SVG must not have declarations, comments or instructions")
    try:
        root = ElementTree.fromstring(svg)  # noqa: S314 - declarations, and with them entities, are refused above
    except ElementTree.ParseError as error:
        raise ValueError(f"inline SVG is not well-formed: {error}") from error
    if root.tag != f"{{{_SVG}}}svg":
        raise ValueError(f"inline SVG must be one svg element, got {root.tag!r}")
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name not in _ALLOWED:
            raise ValueError(f"inline SVG must not hold {name!r} elements")
        for key, value in element.attrib.items():
            _check_attribute(key.rpartition("}")[2].lower(), value)


def _check_attribute(key: str, value: str) -> None:
    if key.startswith("on"):
        raise ValueError(f"inline SVG must not hold the attribute {key!r}")
    if key in {"href", "src"} and not value.startswith(("#", _PNG_URI, _JPEG_URI)):
        raise ValueError(f"inline SVG must not refer to {value[:60]!r}")
    if re.search(r"url\(\s*['\"]?(?!#)", value) or "expression(" in value or "@import" in value:
        raise ValueError(f"inline SVG must not load anything: {value[:60]!r}")
