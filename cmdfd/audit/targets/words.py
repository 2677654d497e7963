"""Words that tell classes, splits and generators in folder names, values and file names of published sets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cmdfd.audit.targets.vocabulary import (
    FAKE_WORDS,
    METHODS,
    NEGATIONS,
    NOT_IN_PATHS,
    PLAIN_FOLDERS,
    REAL_WORDS,
    SPLIT_WORDS,
)


@dataclass(frozen=True, slots=True)
class ClassWord:
    """What a name says.

    Args:
        label: 1 = fake, 0 = real.
        audio: The same of the sound alone, where the name tells (RealVideo-FakeAudio), else None.
        video: Of the picture.
    """

    label: int
    audio: int | None = None
    video: int | None = None


def tokens(name: str) -> list[str]:
    """Words of a name in lower case: "RealVideo-FakeAudio" is real, video, fake, audio."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    parted = re.sub(r"(?i)bona[\s_-]?fide", " bonafide ", parted)
    return [word for word in re.split(r"[^a-z0-9]+", parted.casefold()) if word]


def class_word(name: str, *, path: bool = False) -> ClassWord | None:
    """What a value or a folder's name says about the class; None where it says nothing or both.

    Args:
        name: The value or name.
        path: Whether it is a folder's name, where fewer words count.
    """
    words = tokens(name)
    votes: list[tuple[int, int]] = []
    for place, word in enumerate(words):
        if path and word in NOT_IN_PATHS:
            continue
        vote = 0 if word in REAL_WORDS else 1 if word in FAKE_WORDS else None
        if vote is not None:
            flipped = place > 0 and words[place - 1] in NEGATIONS
            votes.append((place, 1 - vote if flipped else vote))
    if not votes:
        return None
    streams = _streams(words, votes)
    if streams:
        return streams
    said = {vote for _, vote in votes}
    return ClassWord(said.pop()) if len(said) == 1 else None


def _streams(words: list[str], votes: list[tuple[int, int]]) -> ClassWord | None:
    """Both streams named with a class each: real video fake audio, or video real audio fake."""
    found: dict[str, int] = {}
    for place, vote in votes:
        for near in (place + 1, place - 1):
            stream = {"audio": "audio", "voice": "audio", "video": "video", "visual": "video"}.get(
                words[near] if 0 <= near < len(words) else ""
            )
            if stream and stream not in found:
                found[stream] = vote
                break
    if set(found) != {"audio", "video"}:
        return None
    return ClassWord(max(found.values()), found["audio"], found["video"])


#: The same words as patterns of RE2 over whole paths, for weighing a guess.
REAL_PATTERN = (
    r"(^|[^a-z])(reals?|originals?|origin|genuine|bona-?_?fide|pristine|authentic)([^a-z]|$)|realvideo-realaudio"
)
FAKE_PATTERN = (
    r"(^|[^a-z])(fakes?|spoof(ed)?|synthesis|synthetic|synthesi[sz]ed|deepfakes?|manipulated|forged|tampered)([^a-z]|$)"
    r"|fakeaudio|fakevideo"
)


def split_word(name: str) -> str:
    """The split that a name tells ("train", "validation", "test"), "" for none or several."""
    found = {
        "train" if word.startswith("tr") else "test" if word.startswith(("te", "ts", "ev")) else "validation"
        for word in tokens(name)
        if word in SPLIT_WORDS
    }
    return found.pop() if len(found) == 1 else ""


def leftover(name: str) -> str:
    """A folder's name without the words that tell the class: "FAKE_W2L_C" is "w2l_c"; "" where nothing is left."""
    words = [word for word in tokens(name) if word not in REAL_WORDS | FAKE_WORDS and not word.isdigit()]
    return "" if set(words) <= PLAIN_FOLDERS else "_".join(words)


def method_word(name: str) -> bool:
    """Whether a folder is named after a known generator."""
    return bool(set(tokens(name)) & METHODS) or re.sub(r"[^a-z0-9]", "", name.casefold()) in METHODS
