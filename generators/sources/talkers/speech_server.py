"""A tiny process that speaks: eSpeak NG behind a pipe, one forked child per utterance.

It is run as a script, `python -I -S speech_server.py LIBRARY DATA`, and imports nothing but the standard library, so
that forking is safe and cheap (no numpy, no torch, no threads). eSpeak NG keeps state from one call to the next, so
that the second utterance of a process differs from the same words in a fresh one; a fork right after initialisation
gives exactly the bytes of a fresh process.

Protocol: every message is a 4-byte little-endian length and that many bytes. A request is UTF-8 JSON with the keys
`text`, `voice`, `rate`, `pitch`, `range`, `seed`. An answer is one line of JSON with `error` (null or a sentence),
`sample_rate`, `events` ([seconds, label] pairs, label "" for a pause) and `words` ([seconds, position] pairs, the
position of a letter in the text, from 0), a newline, then int16 samples.
The server ends when its standard input closes or when its parent is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import struct
import sys
import time
from typing import Any

#: Seconds that one utterance may take; the client waits a little longer.
UTTERANCE_TIMEOUT = 20.0
#: How often the server looks whether its parent is still there, seconds.
PARENT_CHECK = 2.0
MAX_MESSAGE = 1 << 20

# speak_lib.h of eSpeak NG 1.52
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS, _INITIALIZE_PHONEME_IPA, _INITIALIZE_DONT_EXIT = 1, 2, 0x8000
_EVENT_LIST_TERMINATED, _EVENT_WORD, _EVENT_END, _EVENT_MSG_TERMINATED, _EVENT_PHONEME = 0, 1, 5, 6, 7
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_VOLUME_PERCENT = 90


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Engine:
    """eSpeak NG, initialised once.

    Args:
        library: Path of the shared library.
        data: Path of its `espeak-ng-data`.
    """

    def __init__(self, library: str, data: str) -> None:
        self.lib = ctypes.CDLL(library)
        options = _INITIALIZE_PHONEME_EVENTS | _INITIALIZE_PHONEME_IPA | _INITIALIZE_DONT_EXIT
        self.sample_rate = self.lib.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), options)
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG could not be initialised (code {self.sample_rate})")

    def speak(self, request: dict[str, Any]) -> bytes:
        """Say one text; returns an answer of the protocol."""
        pcm = bytearray()
        events: list[tuple[float, str]] = []
        words: list[tuple[float, int]] = []

        def receive(samples: Any, count: int, pointer: Any) -> int:
            if count > 0:
                pcm.extend(ctypes.string_at(samples, 2 * count))
            index = 0
            while pointer and pointer[index].type != _EVENT_LIST_TERMINATED:
                event = pointer[index]
                if event.type == _EVENT_PHONEME:
                    raw = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                    events.append((event.audio_position / 1000.0, raw.decode("utf-8", "ignore")))
                elif event.type in {_EVENT_END, _EVENT_MSG_TERMINATED}:
                    events.append((event.audio_position / 1000.0, ""))
                elif event.type == _EVENT_WORD:
                    words.append((event.audio_position / 1000.0, event.text_position - 1))
                index += 1
            return 0

        keep = _Callback(receive)
        lib = self.lib
        lib.espeak_SetSynthCallback(keep)
        lib.espeak_ng_SetRandSeed(ctypes.c_long(int(request["seed"]) & 0x7FFFFFFF))
        code = lib.espeak_SetVoiceByName(str(request["voice"]).encode())
        if code != 0:  # some names that look right are refused, and the old voice would go on speaking
            return self.answer(f"voice {request['voice']!r} was refused (code {code})")
        for key, number in (("rate", _RATE), ("pitch", _PITCH), ("range", _RANGE)):
            lib.espeak_SetParameter(number, int(request[key]), 0)
        lib.espeak_SetParameter(_VOLUME, _VOLUME_PERCENT, 0)
        text = str(request["text"]).encode()
        code = lib.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, _CHARS_UTF8, None, None)
        if code != 0 or lib.espeak_Synchronize() != 0:
            return self.answer(f"the text could not be spoken (code {code})")
        return self.answer(None, events, words, bytes(pcm))

    def answer(
        self,
        error: str | None,
        events: list[tuple[float, str]] | None = None,
        words: list[tuple[float, int]] | None = None,
        pcm: bytes = b"",
    ) -> bytes:
        """Pack an answer."""
        head = {"error": error, "sample_rate": self.sample_rate, "events": events or [], "words": words or []}
        return json.dumps(head).encode() + b"\n" + pcm


def _read_exactly(stream: int, count: int) -> bytes:
    block = bytearray()
    while len(block) < count:
        piece = os.read(stream, count - len(block))
        if not piece:
            raise EOFError
        block.extend(piece)
    return bytes(block)


def _write_all(stream: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(stream, view) :]


def _collect(stream: int, deadline: float) -> bytes | None:
    """Read a pipe to its end; None at the deadline."""
    block = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            return None
        piece = os.read(stream, 1 << 16)
        if not piece:
            return bytes(block)
        block.extend(piece)


def _in_child(engine: Engine, request: dict[str, Any]) -> bytes:
    """Speak in a forked child, under the time limit."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            _write_all(writer, engine.speak(request))
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    data = _collect(reader, time.monotonic() + UTTERANCE_TIMEOUT)
    os.close(reader)
    if data is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if data is None:
        return engine.answer(f"no answer within {UTTERANCE_TIMEOUT:g} s")
    if status != 0:
        return engine.answer(f"the speaking process ended with status {status}")
    return data


def serve(library: str, data: str) -> None:
    """Answer requests until the input closes or the parent goes away."""
    engine = Engine(library, data)
    parent = os.getppid()
    forks = hasattr(os, "fork")
    while True:
        if forks:
            while not select.select([0], [], [], PARENT_CHECK)[0]:
                if os.getppid() != parent:
                    return
        try:
            (size,) = struct.unpack("<I", _read_exactly(0, 4))
            if size > MAX_MESSAGE:
                return
            request = json.loads(_read_exactly(0, size))
        except EOFError:
            return
        answer = _in_child(engine, request) if forks else engine.speak(request)
        _write_all(1, struct.pack("<I", len(answer)) + answer)
        if not forks:  # a process without fork speaks once, so that no state carries over
            return


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; its end closes our input
    serve(sys.argv[1], sys.argv[2])
