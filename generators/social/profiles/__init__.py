"""Built-in profiles, one YAML file each; `generators.social.profiles:NAME` is the profile itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generators.social.schema import Profile


def __getattr__(name: str) -> Profile:
    """Read the profile of that name."""
    from generators.social.profile import BUILTIN, builtin

    if name not in BUILTIN:
        raise AttributeError(name)
    return builtin(name)
