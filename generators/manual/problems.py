"""Why an edit made by hand cannot be used: one word for each reason, with what to do about it."""

from __future__ import annotations

from cmdfd.errors import MediaError

#: Word -> the fix, as the end of a sentence. The words go into tables and tests, so they never change.
FIXES: dict[str, str] = {
    "other_footage": "name the very recording from which the edit was made",
    "identical": "name the file that the editor wrote",
    "geometry": "export the edit in the frame of the original, without rotation, stretching or a moving zoom",
    "offset": "let the edit begin within a second of the original",
    "length": "export the whole timeline; an edit that changes the length cannot be compared with its original",
    "out_of_step": "keep sound and picture together as in the original",
    "outside_matte": "give a matte that covers all that was changed, or set the option strict: false",
    "matte": "give a matte of the same length and shape as the edited file, white or opaque where it was changed",
    "empty_segment": "correct the times, which count from the first frame of the edited file",
    "outside_segments": "add the stretch, or set the option strict: false",
    "no_segment": "lengthen the source's option `seconds`, or correct the times",
    "too_long": "cut original and edit into shorter pairs",
}


def refusal(word: str, file: object, found: str) -> MediaError:
    """The error for an edit that cannot be used: `unsupported`, its detail beginning with the word.

    Args:
        word: A key of `FIXES`.
        file: The edited file, as the user named it.
        found: What was found.
    """
    return MediaError("unsupported", file, f"{word}: {found}; {FIXES[word]}")


def word_of(error: MediaError) -> str:
    """The word of an error that `refusal` made, else its code."""
    word = error.detail.partition(":")[0]
    return word if word in FIXES else error.code
