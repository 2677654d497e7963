"""Speech with known sounds: text to samples and phones, the same bytes in every process.

The work is done by `speech_server.py`, one small process per process that asks; it is started at the first
utterance and ends with its owner.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import CmdfdError, MissingExtraError
from generators.generator import Phone, Word
from generators.sources.talkers.speech_server import UTTERANCE_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SAMPLE_RATE = 16000
#: 22 050 Hz of eSpeak NG to 16 000 Hz.
_RESAMPLE = (320, 441)
#: A label that ends in no sound.
PAUSE = ""
#: Marks around a written word that are no part of it.
_MARKS = '.,;:!?"()[]…'
#: Event times are whole milliseconds; less is no difference, seconds.
_SLACK = 5e-4


class SpeechError(CmdfdError):
    """eSpeak NG refused or failed; the text says what and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """An utterance.

    Args:
        samples: [N] float32 mono at 16 kHz, in [-1, 1].
        phones: Sounds in order, times in seconds from the first sample; pauses have the label "".
        words: Words in order on the same clock, without the pauses around them. Two that are spoken as one
            ("from the") are one entry.
    """

    samples: NDArray[np.float32]
    phones: list[Phone]
    words: list[Word]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def speech_end(self) -> float:
        """Seconds at which the last sound ends."""
        return max((phone.end for phone in self.phones if phone.label != PAUSE), default=0.0)


def _library() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingExtraError("talkers", "the voices of the embedded talkers") from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


class _Client:
    """The owner's end of one speech server."""

    def __init__(self) -> None:
        library, data = _library()
        script = Path(__file__).with_name("speech_server.py")
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), library, data],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    @property
    def usable(self) -> bool:
        return self.owner == os.getpid() and self.process.poll() is None

    def ask(self, request: Mapping[str, Any]) -> bytes:
        """Send one request and wait for its answer; raises SpeechError where the server is lost."""
        message = json.dumps(dict(request)).encode()
        if self.process.stdin is None:
            raise SpeechError("the speech process has no input")
        deadline = time.monotonic() + UTTERANCE_TIMEOUT + 10.0
        try:
            self.process.stdin.write(struct.pack("<I", len(message)) + message)
            (size,) = struct.unpack("<I", self._read(4, deadline))
            return self._read(size, deadline)
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise SpeechError(f"the speech process was lost: {error!r}") from error

    def _read(self, count: int, deadline: float) -> bytes:
        if self.process.stdout is None:
            raise EOFError("it has no output")
        stream = self.process.stdout.fileno()
        block = bytearray()
        while len(block) < count:
            if hasattr(os, "fork"):  # select knows pipes only where fork exists
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([stream], [], [], left)[0]:
                    raise TimeoutError("no answer")
            piece = os.read(stream, count - len(block))
            if not piece:
                raise EOFError("it ended")
            block.extend(piece)
        return bytes(block)

    def close(self) -> None:
        """End the server and reap it (only its owner may)."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # a pipe that is broken already is as good as closed
                    stream.close()
        if self.owner != os.getpid():  # a copy made by fork: the server belongs to the parent
            return
        try:
            self.process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_lock = threading.Lock()
_client: _Client | None = None


def shutdown() -> None:
    """End this process's speech server, if it has one; the next `speak` starts another."""
    global _client  # noqa: PLW0603 - one server per process
    if _client is not None:
        _client.close()
        _client = None


def _after_fork() -> None:
    """In a forked child: a fresh lock, and no share in the parent's server."""
    global _client, _lock  # noqa: PLW0603 - one server per process
    _lock = threading.Lock()
    if _client is not None:
        _client.close()
        # the parent reaps it: without a return code Popen's destructor would complain here
        _client.process.returncode = 0
        _client = None


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _exchange(request: Mapping[str, Any]) -> bytes:
    global _client  # noqa: PLW0603 - one server per process
    with _lock:
        for last in (False, True):
            if _client is None or not _client.usable:
                shutdown()
                _client = _Client()
            try:
                return _client.ask(request)
            except SpeechError:
                shutdown()
                if last:
                    raise
    raise AssertionError("unreachable")


def _phones(events: list[tuple[float, str]], duration: float) -> list[Phone]:
    """Turn onsets into intervals: a sound ends where the next event begins."""
    phones: list[Phone] = []
    for index, (start, label) in enumerate(events):
        end = events[index + 1][0] if index + 1 < len(events) else duration
        end = min(end, duration)
        if end <= start:
            continue
        if label == PAUSE and phones and phones[-1].label == PAUSE:
            phones[-1] = Phone(PAUSE, phones[-1].start, end)
        else:
            phones.append(Phone(label, start, end))
    return phones


def _tokens(text: str, onsets: Sequence[tuple[float, int]]) -> list[tuple[float, str]]:
    """Onset and wording of every spoken word.

    eSpeak NG tells where in the text a word stands, with two twists: of two words that its dictionary knows as a
    phrase ("most of"), the second is said to stand inside the first; and two that are spoken as one ("from the")
    have one onset. Several onsets inside one written word ("25") are one word.
    """
    written = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    places = [sum(start <= position for start, _ in written) - 1 for _, position in onsets]
    claimed: list[tuple[float, int]] = []
    for index, ((time_, _), place) in enumerate(zip(onsets, places, strict=True)):
        last = claimed[-1][1] if claimed else -1
        following = places[index + 1] if index + 1 < len(places) else len(written)
        if place <= last and last + 1 < following:
            claimed.append((time_, last + 1))
        elif place > last:
            claimed.append((time_, place))
    found = []
    for index, (time_, place) in enumerate(claimed):
        until = claimed[index + 1][1] if index + 1 < len(claimed) else len(written)
        wording = (text[start:end].strip(_MARKS) for start, end in written[place:until])
        found.append((time_, " ".join(word for word in wording if word)))
    return found


def _words(tokens: Sequence[tuple[float, str]], phones: Sequence[Phone], duration: float) -> list[Word]:
    """Turn onsets into intervals: a word ends where the next begins; pauses at its ends are no part of it."""
    words: list[Word] = []
    for index, (start, wording) in enumerate(tokens):
        end = min(tokens[index + 1][0] if index + 1 < len(tokens) else duration, duration)
        inside = [phone for phone in phones if phone.label != PAUSE and start - _SLACK <= phone.start < end - _SLACK]
        if not wording or not inside:
            continue
        pauses = [phone for phone in phones if phone.label == PAUSE and phone.start < end and phone.end > start]
        led = [pause.end for pause in pauses if pause.start <= start + _SLACK and pause.end <= inside[0].start + _SLACK]
        words.append(Word(wording, max([start, *led]), min(inside[-1].end, end)))
    return words


def speak(text: str, voice: Mapping[str, Any], seed: int) -> Spoken:
    """Say a text.

    Args:
        text: Plain words, UTF-8.
        voice: `name` (an eSpeak NG voice with variant, e.g. "en-us+m3"), `rate` (words per minute, 80-450), `pitch`
            and `range` (0-99); other keys are ignored.
        seed: Seeds the chance that nine of the voices use (breath, whisper).

    Returns:
        The utterance; byte-identical for equal arguments, in whatever process and order it is asked for.

    Raises:
        MissingExtraError: If the `talkers` extra is absent.
        SpeechError: If the voice is unknown, the text has no sound, or the time limit is reached.
    """
    from scipy.signal import resample_poly

    request = {
        "text": text,
        "voice": voice["name"],
        "rate": int(voice["rate"]),
        "pitch": int(voice["pitch"]),
        "range": int(voice["range"]),
        "seed": int(seed),
    }
    head, pcm = _exchange(request).split(b"\n", 1)
    answer = json.loads(head)
    if answer["error"]:
        raise SpeechError(f"{text[:60]!r}: {answer['error']}")
    raw = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
    if answer["sample_rate"] * _RESAMPLE[0] != SAMPLE_RATE * _RESAMPLE[1]:
        raise SpeechError(f"eSpeak NG speaks at {answer['sample_rate']} Hz, expected 22050 Hz")
    samples = np.clip(resample_poly(raw, *_RESAMPLE), -1.0, 1.0).astype(np.float32) if len(raw) else raw
    events = [(float(start), str(label)) for start, label in answer["events"]]
    phones = _phones(events, len(samples) / SAMPLE_RATE)
    if all(phone.label == PAUSE for phone in phones):
        raise SpeechError(f"{text[:60]!r}: there is nothing to say in it")
    onsets = [(float(start), int(position)) for start, position in answer["words"]]
    return Spoken(samples, phones, _words(_tokens(text, onsets), phones, len(samples) / SAMPLE_RATE))
