"""Predictions at an address: only https, only from hosts that are allowed, only under a commit, only so many bytes.

The address was written by a stranger, so it is held to one shape before anything is looked up; a name is looked up once
and the connection goes to the very address that was checked, so that a second look-up cannot lead elsewhere; each
redirect is checked like the first address; and what arrives is cut off at the size that the submission names.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ALLOWED_HOSTS = ("huggingface.co",)
#: Where the Hub sends those who ask it for a large file.
_REDIRECT_SUFFIXES = (".huggingface.co", ".hf.co")
_PINNED = re.compile(r"(/[A-Za-z0-9._-]+)+/resolve/[0-9a-f]{40}(/[A-Za-z0-9._-]+)*\.parquet")
#: RFC 6052: IPv4 addresses inside IPv6.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_SECONDS = 30.0
_MOST_SECONDS = 600.0
_CHUNK = 1 << 16


class AddressError(CmdfdError):
    """An address that is not fetched, or did not give what was asked for."""


def check_address(url: str, hosts: Sequence[str] = ALLOWED_HOSTS) -> None:
    """Refuse an address that is not an unchangeable Parquet file on an allowed host.

    Args:
        url: As submitted.
        hosts: Allowed hosts.

    Raises:
        AddressError: With what is wrong.
    """
    parts = _parts(url)
    _check_host(parts, hosts, ())
    path = parts.path
    if parts.query or parts.fragment or "%" in path or ".." in path.split("/") or "//" in path:
        raise AddressError("has a query, a fragment, an escape or a step upwards in it")
    if not _PINNED.fullmatch(path):
        raise AddressError("does not name a .parquet file under /resolve/<40 hexadecimal digits>/, so it could change")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"is no address: {error}") from error
    if parts.scheme != "https":
        raise AddressError(f"begins with {parts.scheme or 'nothing'}:, only https is fetched")
    if parts.username is not None or parts.password is not None:
        raise AddressError("has a user name or password in it")
    if port is not None:
        raise AddressError(f"names the port {port}")
    return parts


def _check_host(parts: SplitResult, hosts: Sequence[str], suffixes: Sequence[str]) -> str:
    host = parts.hostname or ""
    if host not in hosts and not any(host.endswith(suffix) for suffix in suffixes):
        raise AddressError(f"lies at {host!r}, allowed are {', '.join(hosts)} (a maintainer may add --allow-host)")
    return host


def _resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class _Pinned(http.client.HTTPSConnection):
    """Connects to an address that was checked, and holds its certificate against the host's name."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(host, timeout=_SECONDS, context=ssl.create_default_context())
        self._address = address
        self._tls = ssl.create_default_context()

    def connect(self) -> None:
        """Open the connection without asking for the name again."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def _open(host: str, address: str) -> http.client.HTTPConnection:
    return _Pinned(host, address)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches predictions; call it with an address and the most bytes.

    Args:
        hosts: Allowed hosts.
        resolver: Looks names up, as `socket.getaddrinfo`.
        opener: Opens a connection to a host at an address.
        clock: Seconds, rising.
    """

    hosts: tuple[str, ...] = ALLOWED_HOSTS
    resolver: Callable[[str, int], Sequence[tuple[Any, ...]]] = _resolve
    opener: Callable[[str, str], http.client.HTTPConnection] = _open
    clock: Callable[[], float] = time.monotonic

    def __call__(self, url: str, most: int) -> bytes:
        """Fetch.

        Args:
            url: See `check_address`.
            most: Bytes after which the file is too large.

        Raises:
            AddressError: With what is wrong.
        """
        check_address(url, self.hosts)
        end = self.clock() + _MOST_SECONDS
        for _ in range(_MOST_REDIRECTS + 1):
            parts = _parts(url)
            host = _check_host(parts, self.hosts, _REDIRECT_SUFFIXES)
            connection = self.opener(host, self._address_of(host))
            try:
                found = self._ask(connection, parts, most, end)
            except (OSError, http.client.HTTPException) as error:
                raise AddressError(f"{host} did not answer: {type(error).__name__}: {error}") from error
            finally:
                connection.close()
            if isinstance(found, bytes):
                return found
            url = urljoin(url, found)
        raise AddressError(f"redirects more than {_MOST_REDIRECTS} times")

    def _address_of(self, host: str) -> str:
        """First address of a host; all of them must be public, or a name could lead into a private network."""
        try:
            found = [str(one[4][0]) for one in self.resolver(host, 443)]
        except OSError as error:
            raise AddressError(f"{host!r} cannot be found: {error}") from error
        for one in found:
            if not _is_public(one):
                raise AddressError(f"{host!r} leads to {one}, which is no public address")
        if not found:
            raise AddressError(f"{host!r} has no address")
        return found[0]

    def _ask(self, connection: http.client.HTTPConnection, parts: SplitResult, most: int, end: float) -> bytes | str:
        """The file, or where it is said to be."""
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path or "/", headers={"Accept-Encoding": "identity", "User-Agent": "cmdfd"})
        answer = connection.getresponse()
        if answer.status in _REDIRECTS:
            return answer.getheader("Location") or ""
        if answer.status != http.client.OK:
            raise AddressError(f"{connection.host} answers {answer.status} {answer.reason}")
        if answer.getheader("Content-Encoding", "identity") != "identity":
            raise AddressError("comes packed, which was not asked for")
        length = answer.getheader("Content-Length") or ""
        if length.isdigit() and int(length) > most:
            raise AddressError(f"has {length} bytes, the submission says {most}")
        data = bytearray()
        while block := answer.read1(_CHUNK):  # `read` would wait for the whole block, however slowly it drips
            data += block
            if len(data) > most:
                raise AddressError(f"has more bytes than the {most} that the submission says")
            if self.clock() > end:
                raise AddressError(f"takes longer than {_MOST_SECONDS:g} s")
        return bytes(data)


def _is_public(text: str) -> bool:
    """Whether an address is one of the open network; one that carries another in it must be so inside, too."""
    address = ipaddress.ip_address(text.partition("%")[0])
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        found = [inner] if inner is not None and address.ipv4_mapped else [address, *([inner] if inner else [])]
    return all(one.is_global and not one.is_multicast for one in found)


def fetcher(allow: Sequence[str] = ()) -> Fetcher:
    """A fetcher that also fetches from other hosts.

    Args:
        allow: Hosts besides `ALLOWED_HOSTS`.
    """
    return Fetcher((*ALLOWED_HOSTS, *allow))
