"""How numbers and names are written on every page, in every picture and in the terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

#: Printed where there is no number; the reason stands beside it.
NOTHING = "–"
#: A true minus: as wide as a plus, and read as one by screen readers.
MINUS = "−"

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: Embeddings, overrides and isolates: a name must not turn round the text that follows it.
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(value: Any) -> str:
    """Make a name from outside harmless as text: no control signs, escape sequences or direction overrides.

    Escaping for HTML is the template's job; this is about characters that no escaping makes valid.

    Args:
        value: Anything; `str` is taken of it.

    Returns:
        Text in which line breaks and tabs are spaces, and every other control sign, lone surrogate or
        non-character is U+FFFD.
    """
    text = str(value)
    if text.isascii() and text.isprintable():  # most names; nothing of what follows is in it
        return text
    text = _ESCAPE_SEQUENCE.sub("", text)
    return "".join(_harmless(sign) for sign in text)


def _harmless(sign: str) -> str:
    if sign in "\n\r\t\v\f\u2028\u2029\x85":
        return " "
    if sign in _DIRECTION:
        return ""
    if unicodedata.category(sign) in {"Cc", "Cs"} or (ord(sign) & 0xFFFE) == 0xFFFE or 0xFDD0 <= ord(sign) <= 0xFDEF:
        return "\ufffd"
    return sign


def shorten(value: Any, length: int) -> str:
    """Cut a name in its middle, since beginnings and ends are what tells names apart.

    Args:
        value: Anything; it is cleaned first.
        length: Greatest number of characters, >= 3.

    >>> shorten("a-very-long-detector-name", 11)
    'a-ver…-name'
    """
    text = clean(value)
    if len(text) <= length:
        return text
    head = (length - 1) // 2 + (length - 1) % 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def number(value: float | None, *, signed: bool = False, digits: int = 3) -> str:
    """Write a number of the unit range the way statistics tables do, without a leading nought.

    Args:
        value: Any number; None and what is not finite become "–".
        signed: Write the sign of positive numbers too.
        digits: Decimals.

    >>> number(0.9731), number(1.0), number(-0.0124, signed=True), number(None)
    ('.973', '1.000', '−.012', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{abs(value):.{digits}f}"
    zero = not any(sign in "123456789" for sign in text)
    if text.startswith("0."):
        text = text[1:]
    if zero:
        return text
    return f"{MINUS if value < 0 else '+' if signed else ''}{text}"


def interval(low: float | None, high: float | None, *, signed: bool = False, digits: int = 3) -> str:
    """Write an interval, or nothing where there is none.

    >>> interval(0.951, 0.99), interval(None, None)
    ('[.951, .990]', '')
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{number(low, signed=signed, digits=digits)}, {number(high, signed=signed, digits=digits)}]"


def with_interval(
    value: float | None, low: float | None, high: float | None, *, signed: bool = False, digits: int = 3
) -> str:
    """A number and its interval.

    >>> with_interval(0.973, 0.951, 0.99)
    '.973 [.951, .990]'
    """
    return f"{number(value, signed=signed, digits=digits)} {interval(low, high, signed=signed, digits=digits)}".strip()


def percent(share: float | None) -> str:
    """A share as a percentage.

    >>> percent(0.8333), percent(None)
    ('83 %', '–')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    return f"{100 * share:.1f} %" if 0 < share < 0.01 or 0.99 < share < 1 else f"{100 * share:.0f} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "clip"), plural(3, "clip"), plural(2, "identity", "identities")
    ('1 clip', '3 clips', '2 identities')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def listing(words: list[str] | tuple[str, ...], limit: int = 6) -> str:
    """Join words as a sentence does.

    >>> listing(["a", "b", "c"]), listing(["a", "b", "c"], limit=2)
    ('a, b and c', 'a, b and 1 more')
    """
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that a person would use.

    >>> duration(0.25), duration(42.4), duration(200.0), duration(7300.0)
    ('0.2 s', '42 s', '3 min 20 s', '2 h 1 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
