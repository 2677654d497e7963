"""What a program prints: kept in files of bounded size, without the secrets of the environment."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: A log keeps its beginning and its end; what lies between is dropped.
HEAD_BYTES, TAIL_BYTES = 4 << 20, 256 << 10
SCRUBBED = b"[scrubbed]"
#: Shorter values would be found everywhere.
_SHORTEST = 8
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|APIKEY|(^|_)(KEY|PASS|PWD|AUTH)(_|$)|(ACCESS|API|PRIVATE|SIGNING)KEY",
    re.IGNORECASE,
)
#: Value of PWD is a folder, and of no use to anyone.
_HARMLESS = ("PWD", "OLDPWD")


def secrets_of(environment: Mapping[str, str], allowed: Iterable[str] = ()) -> tuple[bytes, ...]:
    """Values that must not be printed.

    Args:
        environment: Variables of this process. Those whose name speaks of a token, key, password or the like count.
        allowed: Names of variables that the program may see; they count too.

    Returns:
        Values from 8 bytes on, longest first. Paths of files that exist are none, but the content of the user's
        Hugging Face token file is.
    """
    values = {
        value
        for name, value in environment.items()
        if name not in _HARMLESS and (name in set(allowed) or _SECRET_NAME.search(name))
    }
    values |= _token_files(environment)
    kept = {value for value in values if len(value) >= _SHORTEST and not _is_path(value)}
    return tuple(sorted((value.encode("utf-8", "surrogateescape") for value in kept), key=lambda one: (-len(one), one)))


def with_codes(secrets: Iterable[bytes]) -> tuple[bytes, ...]:
    """Secrets together with their hexadecimal and base64 forms, longest first.

    Base64 of a text that holds a secret somewhere depends on its place modulo 3; of each of the three forms, the
    characters count that no neighbour has a part in. That is how HTTP's basic authentication prints a password.
    """
    found = set(secrets)
    for one in tuple(found):
        found |= {one.hex().encode(), one.hex().upper().encode()}
        for place in range(3):
            whole = base64.b64encode(bytes(place) + one).rstrip(b"=")
            begin, end = -(-8 * place // 6), (place + len(one)) * 8 // 6
            found |= {whole[begin:end], whole[begin:end].translate(_URL_SAFE)}
    return tuple(sorted((one for one in found if len(one) >= _SHORTEST), key=lambda one: (-len(one), one)))


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def scrubbed(text: str, secrets: tuple[bytes, ...]) -> str:
    """A text without secrets, longest first."""
    data = text.encode("utf-8", "surrogateescape")
    for one in secrets:
        data = data.replace(one, SCRUBBED)
    return data.decode("utf-8", "replace")


def _is_path(value: str) -> bool:
    parts = value.split(os.pathsep)
    return all(part.startswith("/") for part in parts if part) and any(Path(part).exists() for part in parts if part)


def _token_files(environment: Mapping[str, str]) -> set[str]:
    home = environment.get("HF_HOME") or str(Path(environment.get("HOME", "/nonexistent")) / ".cache" / "huggingface")
    found = set()
    for path in (environment.get("HF_TOKEN_PATH"), f"{home}/token", f"{home}/stored_tokens"):
        try:
            text = Path(path).read_text("utf-8") if path and Path(path).is_file() else ""
        except (OSError, UnicodeDecodeError):
            continue
        found |= set(re.findall(r"[^\s=]+", text))
    return found


class ScrubbedLog:
    """A log file that never holds a secret, not even for a moment.

    Args:
        path: File to write.
        secrets: Values to take out.
    """

    def __init__(self, path: Path, secrets: tuple[bytes, ...]) -> None:
        self._file = path.open("wb")
        self._pattern = re.compile(b"|".join(re.escape(one) for one in secrets)) if secrets else None
        self._hold = max((len(one) for one in secrets), default=1) - 1
        self._pending = b""
        self._written = self._dropped = 0
        self._tail = b""
        self.found = 0

    def write(self, block: bytes) -> None:
        """Take what the program printed; the last bytes wait for what follows, since they may begin a secret."""
        self._pending += block
        if self._pattern is not None:
            self._pending, count = self._pattern.subn(SCRUBBED, self._pending)
            self.found += count
        ready = max(len(self._pending) - self._hold, 0)
        self._keep(self._pending[:ready])
        self._pending = self._pending[ready:]

    def _keep(self, block: bytes) -> None:
        room = max(HEAD_BYTES - self._written, 0)
        self._file.write(block[:room])
        self._written += min(len(block), room)
        rest = self._tail + block[room:]
        self._dropped += max(len(rest) - TAIL_BYTES, 0)
        self._tail = rest[-TAIL_BYTES:]
        self._file.flush()

    def close(self) -> None:
        """Write the rest."""
        self._keep(self._pending)
        self._pending = b""
        if self._dropped:
            self._file.write(b"\n[%d bytes dropped]\n" % self._dropped)
        self._file.write(self._tail)
        self._file.close()


def find_in_files(paths: Iterable[Path], secrets: tuple[bytes, ...], most: int = 16 << 20) -> tuple[Path, ...]:
    """Files that hold a secret, or have one in their name.

    Args:
        paths: Files to search; larger ones than `most`, links and what is no file are passed over.
        secrets: Values to look for.
        most: Bytes of a file, and sixteen times as many of all together.

    Returns:
        Those in which one was found.
    """
    if not secrets:
        return ()
    found, left = [], 16 * most
    for path in paths:
        if any(one in os.fsencode(path.name) for one in secrets):
            found.append(path)
            continue
        try:
            if path.is_symlink() or not path.is_file() or (size := path.stat().st_size) > min(most, left):
                continue
            left -= size
            data = path.read_bytes()
        except OSError:
            continue
        if any(one in data for one in secrets):
            found.append(path)
    return tuple(found)
