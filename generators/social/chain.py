"""Chains: profiles that a clip passes one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.clip import content_id
from generators.social.profile import ProfileError, find_profile
from generators.social.schema import CODE_VERSION

if TYPE_CHECKING:
    from generators.social.schema import Profile

#: More platforms in a row than anybody forwards through; each costs a coding.
_MOST = 8


@dataclass(frozen=True, slots=True)
class Chain:
    """Profiles in order.

    Args:
        name: Their names, joined by "+".
        profiles: At least one.
    """

    name: str
    profiles: tuple[Profile, ...]

    @property
    def address(self) -> str:
        """Content address: every cell of every profile, and the version of the code. Texts about them do not count.

        The bytes also depend on the ffmpeg program, see `cmdfd.media.ffmpeg`; its version is in the details.
        """
        return content_id("chain", CODE_VERSION, [profile.address for profile in self.profiles], length=32)


def resolve_chain(text: str) -> Chain:
    """Read a chain.

    Args:
        text: "facebook_hd", "whatsapp+facebook_sd", "path/to/own.yaml".

    Raises:
        ProfileError: If a name stands for nothing (with the nearest right word), or a file breaks the schema.
    """
    words = [text] if text.endswith((".yaml", ".yml")) and Path(text).is_file() else text.split("+")
    if not all(word.strip() for word in words):
        raise ProfileError(f"chain {text!r} has an empty part: write profiles joined by '+', as whatsapp+facebook_sd")
    if len(words) > _MOST:
        raise ProfileError(f"chain {text!r} has {len(words)} parts; {_MOST} are the most")
    profiles = tuple(find_profile(word.strip()) for word in words)
    return Chain("+".join(profile.name for profile in profiles), profiles)
