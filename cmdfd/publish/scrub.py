"""Takes places, people and machines out of texts and records that go public, and finds what is left of them."""

from __future__ import annotations

import getpass
import re
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What stands where a place on the publisher's machine stood.
PLACE = "<local>"
#: Options of sources and keys of details that name a place or a machine even where the text does not look like it.
_PLACE_KEYS = frozenset({"folder", "csv", "path", "file", "root", "dir", "directory", "edits", "face_model", "cwd"})
#: Keys that say on what machine and by whom a program was started; nobody needs them to build again.
_DROPPED_KEYS = frozenset({
    "argv", "command_line", "env", "environ", "environment", "home", "host", "hostname", "log", "node", "pid", "stderr",
    "stdout", "user", "username",
})  # fmt: skip
#: Names of accounts and machines that are nobody's, or words of the language.
_COMMON = frozenset({
    "admin", "administrator", "build", "builder", "data", "docker", "home", "localhost", "root", "runner", "test",
    "ubuntu", "user", "video", "audio",
})  # fmt: skip
_MIN_NAME = 4
_SIGNS = r"[^\s\"'<>|:;,()\[\]{}]"
#: An absolute POSIX path of at least two steps; not part of an address, a ratio or a relative path.
_POSIX = re.compile(rf"(?<![\w/:.~+\-<>\]])/(?!/)[\w.@+~%-]+/{_SIGNS}*")
#: A single step is a place only below these.
_ROOTS = re.compile(r"(?<![\w/:.~+\-<>\]])/(?:home|root|Users|mnt|media|tmp|var|opt|srv|work|data)\b(?!/)")
_WINDOWS = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]:[\\/](?!/){_SIGNS}*|\\\\[\w.$-]+\\{_SIGNS}*")
_HOME = re.compile(rf"(?<![\w~])~[\w-]*[\\/]{_SIGNS}*|\bfile://{_SIGNS}*")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
#: ISO 6709, as cameras write it.
_GPS = re.compile(r"[+-]\d{1,3}\.\d{3,}[+-]\d{1,3}\.\d{3,}")
_LOCAL = (_WINDOWS, _HOME, _POSIX, _ROOTS)


@dataclass(frozen=True, slots=True)
class Private:
    """What must not be read in anything that goes public.

    Args:
        places: Folders and files of the publisher, the longest first.
        names: Logins and machines, as whole words.
    """

    places: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def clean(self, text: str) -> str:
        """A text with `PLACE` where a place stood, and without names, e-mail addresses and coordinates."""
        for place in self.places:
            text = _literal(place).sub(lambda _: PLACE, text)
        for pattern in _LOCAL:
            text = pattern.sub(PLACE, text)
        text = _GPS.sub(PLACE, _MAIL.sub("<address>", text))
        return self._named.sub("<name>", text) if self.names else text

    def found(self, text: str) -> tuple[str, ...]:
        """What a text gives away: what it is and the words, e.g. "the place '/home/ann'"."""
        said = [f"the place {place!r}" for place in self.places if _literal(place).search(text)]
        if not said:
            said = [f"the place {match[0]!r}" for pattern in _LOCAL for match in pattern.finditer(text)]
        said += [f"the address {match[0]!r}" for match in _MAIL.finditer(text)]
        said += [f"the coordinates {match[0]!r}" for match in _GPS.finditer(text)]
        if self.names:
            said += [f"the name {match[0]!r}" for match in self._named.finditer(text)]
        return tuple(dict.fromkeys(said))

    @property
    def _named(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, self.names))})(?![A-Za-z0-9])")


@cache
def _literal(place: str) -> re.Pattern[str]:
    """A place wherever it stands; one of a single step ("/root") only as a whole, since words may end and begin so."""
    whole = len(re.findall(r"[\\/]+[^\\/]", place)) < 2
    text = rf"(?<![\w.]){re.escape(place)}(?![\w-])" if whole else re.escape(place)
    return re.compile(rf"{text}(?:[\\/]{_SIGNS}*)?")  # the name of a file below it may be that of a person


def private_of(folder: Path, records: Iterable[object]) -> Private:
    """What is private: this machine's user, host and home, the set's own folder, and places that its records name.

    Args:
        folder: The set at home.
        records: Recipe and other JSON-able records.
    """
    home = Path.home()
    places = {str(folder.absolute()), str(folder.resolve()), str(home), str(Path.cwd())}
    for record in records:
        for key, text in _texts("", record):
            if is_place(text) or (key in _PLACE_KEYS and re.search(r"[\\/]", text)):
                places |= {text, _parent(text)}
    own = {_login(), socket.gethostname(), socket.gethostname().split(".")[0], home.name}
    names = {name for name in own if len(name) >= _MIN_NAME and name.lower() not in _COMMON}
    long = {place.rstrip("/\\") for place in places}
    kept = {place for place in long if len(place) >= _MIN_NAME and re.search(r"[\\/].*\w", place)}
    return Private(tuple(sorted(kept, key=lambda one: (-len(one), one))), tuple(sorted(names)))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no account has this process's number
        return ""


def _parent(text: str) -> str:
    """The folder of a file with an ending, where it has at least two steps itself."""
    kind = PureWindowsPath if "\\" in text else PurePosixPath
    path = kind(text)
    return str(path.parent) if path.suffix and len(path.parent.parts) > 2 else text


def _texts(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(str(name).lower(), inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(key, inner)


def is_place(text: str) -> bool:
    r"""Whether a whole text is a path on some machine.

    >>> is_place("/data/clips"), is_place(r"C:\clips"), is_place("~/clips"), is_place("video/mp4")
    (True, True, True, False)
    """
    return text.startswith(("~/", "~\\", "file://")) or (
        len(text) > 1 and (PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute())
    )


def clean_record(value: Any, private: Private, key: str = "") -> Any:
    """A JSON-able record without what is private; keys that only tell about the machine are left out.

    A place is replaced as a whole; of anything else only the words that give something away.

    Args:
        value: Any nesting of dicts, lists and plain values.
        private: What to take out.
        key: Name that the value stands under.
    """
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if str(name).lower() not in _DROPPED_KEYS}
        return {
            private.clean(str(name)): clean_record(inner, private, str(name).lower()) for name, inner in kept.items()
        }
    if isinstance(value, (list, tuple)):
        return [clean_record(inner, private, key) for inner in value]
    if isinstance(value, str):
        if is_place(value) or (key in _PLACE_KEYS and value):
            return PLACE
        return private.clean(value)
    return value


def clean_row(row: Mapping[str, Any], private: Private) -> dict[str, Any]:
    """A row of a table without what is private; cells of JSON text are cleaned as records.

    Args:
        row: Cells; columns stay as they are.
        private: What to take out.
    """
    import json

    clean: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, str) and value[:1] in ("{", "["):
            try:
                record = json.loads(value)
            except ValueError:
                clean[name] = private.clean(value)
                continue
            text = json.dumps(clean_record(record, private), sort_keys=True, ensure_ascii=False)
            clean[name] = text
        elif isinstance(value, (dict, list)):
            clean[name] = _clean_cell(value, private)
        else:
            clean[name] = private.clean(value) if isinstance(value, str) else value
    return clean


def _clean_cell(value: Any, private: Private) -> Any:
    """A nested cell: its fields are columns, so none is dropped."""
    if isinstance(value, dict):
        return {name: _clean_cell(inner, private) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean_cell(inner, private) for inner in value]
    return private.clean(value) if isinstance(value, str) else value
