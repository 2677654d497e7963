"""Options of x264 that a profile may set: names, types, ranges and words, since x264 itself passes wrong ones over.

The program that encodes tells nobody of an option that x264 does not take, so a profile with a typing error would
quietly be another one. The names, words and ranges are those of x264's `x264_param_parse` and
`x264_validate_parameters` (common/base.c and encoder/encoder.c of core 164), where they clip without a word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Parts of `partitions`; all of them are known to every version.
_PARTITIONS = frozenset({"p8x8", "p4x4", "b8x8", "i8x8", "i4x4", "none", "all"})
#: "-1,-1" or one number for both.
_PAIR = re.compile(r"-?\d{1,2}(?:\.\d{1,4})?(?:,-?\d{1,2}(?:\.\d{1,4})?)?")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return value


def _switch(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, int) and value in {0, 1}):
        return value
    raise ValueError("must be true, false, 1 or 0")


def _pair(low: float, high: float, whole: bool) -> Any:
    """A number, or a text of two with a comma between them, each in a range."""

    def check(value: Any) -> Any:
        text = "" if isinstance(value, bool) or not isinstance(value, int | float | str) else str(value)
        parts = [float(part) for part in text.split(",")] if _PAIR.fullmatch(text) else []
        if not parts or not all(low <= part <= high and (not whole or part == int(part)) for part in parts):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"must be {kind} from {low:g} to {high:g}, or two as '{low:g},{high:g}'")
        return value

    return Annotated[Any, AfterValidator(check)]


def _partitions(value: Any) -> Any:
    if not isinstance(value, str) or not value or not set(value.split(",")) <= _PARTITIONS:
        raise ValueError(f"must be words with commas between them, of {', '.join(sorted(_PARTITIONS))}")
    return value


def _int(low: int, high: int) -> Any:
    return Annotated[int, BeforeValidator(_number), Field(ge=low, le=high, strict=True)]


def _float(low: float, high: float) -> Any:
    # a whole number stays one, so that a profile's address does not change with the way it is read
    return Annotated[int | float, BeforeValidator(_number), Field(ge=low, le=high, allow_inf_nan=False)]


_Switch = Annotated[bool | int, BeforeValidator(_switch)]
_FIELDS: dict[str, Any] = {
    "8x8dct": _Switch,
    "aq-mode": _int(0, 3),
    "aq-strength": _float(0, 3),
    "b-adapt": _int(0, 2),
    "b-bias": _int(-100, 100),
    "b-pyramid": Literal["none", "strict", "normal"],
    "cabac": _Switch,
    "chroma-qp-offset": _int(-12, 12),
    "deblock": _pair(-6, 6, whole=True),
    "direct": Literal["none", "spatial", "temporal", "auto"],
    "ipratio": _float(0.1, 10),
    "me": Literal["dia", "hex", "umh", "esa", "tesa"],
    "merange": _int(4, 128),
    "mixed-refs": _Switch,
    "nr": _int(0, 65536),
    "partitions": Annotated[Any, AfterValidator(_partitions)],
    "pbratio": _float(0.1, 10),
    "psy-rd": _pair(0, 10, whole=False),
    "qcomp": _float(0, 1),
    "qpmax": _int(0, 51),
    "qpmin": _int(0, 51),
    "rc-lookahead": _int(0, 250),
    "ref": _int(1, 16),
    "subme": _int(0, 11),
    "trellis": _int(0, 2),
    "vbv-init": _float(0, 1),
    "weightb": _Switch,
    "weightp": _int(0, 2),
}
#: Options of x264 that only change how pictures are coded. Those that name files (stats, qpfile, cqmfile, dump-yuv)
#: stay closed to strangers' profiles; threads and mbtree are set by the program, for equal bytes.
X264_OPTIONS = tuple(_FIELDS)
if TYPE_CHECKING:
    X264Options = dict[str, Any]
else:
    #: The block `x264` of a profile, any of its keys.
    X264Options = TypedDict("X264Options", _FIELDS, total=False)
    X264Options.__pydantic_config__ = ConfigDict(extra="forbid")
#: What an H.264 profile lacks: x264 would switch it off without a word (`x264_param_apply_profile`).
_LACKS = {"baseline": ("8x8dct", "cabac", "weightp", "weightb", "b-adapt", "b-pyramid"), "main": ("8x8dct",)}


def check_fits(options: Mapping[str, Any], profile: str) -> None:
    """Check options against each other and against the H.264 profile.

    Raises:
        ValueError: Naming what x264 would change without a word.
    """
    for name in _LACKS.get(profile, ()):
        if options.get(name) not in {None, 0, "none"}:  # false counts as 0
            raise ValueError(f"x264: {name}: {options[name]!r}: the {profile} profile has none: leave it out")
    if options.get("qpmin", 0) > options.get("qpmax", 51):
        raise ValueError(f"x264: qpmin {options['qpmin']} is more than qpmax {options['qpmax']}")
