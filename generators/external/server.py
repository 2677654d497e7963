"""The runtime http: inputs to the user's own server, the result back. Also Cog's servers, by their JSON."""

from __future__ import annotations

import base64
import http.client
import json
import secrets as random_words
import time
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from typing import IO

    from generators.external.spec import ExternalSpec
    from generators.external.template import Values

_BLOCK = 1 << 16
#: Media types of staged files; servers look at them.
_TYPES = {
    "mp4": "video/mp4", "avi": "video/x-msvideo", "mkv": "video/x-matroska", "png": "image/png", "jpg": "image/jpeg",
    "wav": "audio/wav", "txt": "text/plain",
}  # fmt: skip


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send a person's face to somebody whom the user did not name."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def ask(spec: ExternalSpec, url: str, values: Values, *, folder: Path, target: Path, seconds: float) -> int:
    """Post a job to a server and write its answer to a file.

    Args:
        spec: The generator; its runtime http (multipart form) or cog (`POST /predictions`).
        url: The user's server.
        values: What the placeholders stand for.
        folder: Working folder, to which staged paths are relative.
        target: File to write.
        seconds: Time limit for all of it.

    Returns:
        The status of the answer.

    Raises:
        JobError: "env_missing" where nobody answers, "timeout", "crashed" where the answer is an error, a redirect or
            too large.
    """
    until = time.monotonic() + seconds
    most = round(spec.run.max_output_gb * (1 << 30))
    by_form = spec.runtimes.http is not None
    request = _form(spec, url, values, folder) if by_form else _prediction(spec, url, values, folder)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
    try:
        with opener.open(request, timeout=seconds) as answer:
            _save(spec, answer, target, most=most, until=until)
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(500).decode("utf-8", "replace")
        kind = "redirects, which is not followed" if 300 <= error.code < 400 else text
        raise JobError("crashed", spec.name, f"the server answers {error.code}: {kind}") from error
    except TimeoutError as error:
        raise JobError("timeout", spec.name, f"the server did not answer within {seconds:g} s") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise JobError("timeout", spec.name, f"the server did not answer within {seconds:g} s") from error
        raise JobError("env_missing", spec.name, f"no server at {url}: {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise JobError("crashed", spec.name, f"the connection broke: {error!r}") from error
    if not by_form:
        _unpack(spec, target, most)
    return status


def _save(spec: ExternalSpec, answer: Any, target: Path, *, most: int, until: float) -> None:
    size = 0
    with target.open("wb") as file:
        while block := answer.read1(_BLOCK):
            size += len(block)
            if size > most:
                raise JobError("crashed", spec.name, f"the answer has more than {most} bytes")
            if time.monotonic() > until:
                raise JobError("timeout", spec.name, "the answer did not end in time")
            file.write(block)


def _file_of(text: str, values: Values, folder: Path) -> Path | None:
    """The staged file that a field names by "@", or None for plain text."""
    return folder / values.fill(text[1:]) if text.startswith("@") else None


def _form(spec: ExternalSpec, url: str, values: Values, folder: Path) -> urllib.request.Request:
    runtime = spec.runtimes.http
    assert runtime is not None  # noqa: S101 - the caller has looked
    boundary = f"cmdfd-{random_words.token_hex(16)}"
    body = b""
    for name, text in runtime.fields.items():
        path = _file_of(text, values, folder)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if path is None:
            body += f"{head}\r\n\r\n{values.fill(text)}\r\n".encode()
        else:
            head += f'; filename="{path.name}"\r\nContent-Type: {_type(path)}'
            body += head.encode() + b"\r\n\r\n" + path.read_bytes() + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return urllib.request.Request(url.rstrip("/") + runtime.path, body, headers, method="POST")  # noqa: S310 - http only


def _type(path: Path) -> str:
    return _TYPES.get(PurePosixPath(path.name).suffix[1:], "application/octet-stream")


def _prediction(spec: ExternalSpec, url: str, values: Values, folder: Path) -> urllib.request.Request:
    cog = spec.runtimes.cog
    assert cog is not None  # noqa: S101 - the doctor has looked
    inputs: dict[str, str] = {}
    for name, text in cog.inputs.items():
        path = _file_of(text, values, folder)
        inputs[name] = values.fill(text) if path is None else _as_url(path)
    body = json.dumps({"input": inputs}).encode()
    headers = {"Content-Type": "application/json"}
    return urllib.request.Request(f"{url.rstrip('/')}/predictions", body, headers, method="POST")  # noqa: S310 - http only


def _as_url(path: Path) -> str:
    return f"data:{_type(path)};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _unpack(spec: ExternalSpec, target: Path, most: int) -> None:
    """Cog answers with JSON that holds the file as a data URL; links to elsewhere are not followed."""
    answer: Mapping[str, Any]
    try:
        answer = json.loads(target.read_bytes())
        output = answer.get("output")
        last = output[-1] if isinstance(output, list) and output else output
        failed = answer.get("status") not in {None, "succeeded"}
    except (ValueError, AttributeError) as error:
        raise JobError("crashed", spec.name, "the server's answer is not JSON") from error
    target.unlink()
    if failed or not isinstance(last, str):
        raise JobError("crashed", spec.name, f"the server reports: {str(answer.get('error') or answer)[:300]}")
    head, _, data = last.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise JobError("output_missing", spec.name, "the server answers with a link instead of the file")
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise JobError("output_corrupt", spec.name, "the server's file is not base64") from error
    if len(decoded) > most:
        raise JobError("crashed", spec.name, f"the answer has more than {most} bytes")
    target.write_bytes(decoded)
