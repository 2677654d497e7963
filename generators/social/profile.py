"""Finding and reading profiles: built-in ones, those of plug-ins, and a user's YAML file."""

from __future__ import annotations

import inspect
import re
import typing
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from cmdfd.errors import CmdfdError, nearest
from cmdfd.registry import Registry
from generators.social.schema import Profile
from generators.social.x264 import X264_OPTIONS
from generators.yaml_text import line_of, plain, tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BUILTIN", "PROFILES", "Profile", "ProfileError", "find_profile", "load_profile", "parse_profile"]

#: A profile is a page of text; more is a mistake or an attack.
_MAX_BYTES = 1 << 16
_MAX_TOLD = 5
_SUFFIXES = (".yaml", ".yml")
#: In-tree profiles: ManualFake's seven transmissions first.
BUILTIN = (
    "facebook_hd", "messenger", "wechat_mobile", "wechat_pc", "youtube_720", "whatsapp", "tiktok",
    "facebook_sd", "instagram", "youtube_360", "x_720", "telegram", "signal",
)  # fmt: skip
#: A plug-in's entry point names a `Profile`, or the path of a YAML file.
PROFILES = Registry("profile", "cmdfd.profiles", {name: f"generators.social.profiles:{name}" for name in BUILTIN})


class ProfileError(CmdfdError):
    """A profile that is not there or cannot be read; the text names file, line and field."""


def find_profile(named: str | Path) -> Profile:
    """Look a profile up.

    Args:
        named: Name of a built-in profile or of a plug-in's, or a YAML file.

    Raises:
        ProfileError: If there is none, or it breaks the schema.
    """
    word = str(named)
    if word.endswith(_SUFFIXES):
        return _own(load_profile(Path(word)), word)
    if word not in PROFILES.names():
        raise ProfileError(f"unknown profile {word!r}: {nearest(word, PROFILES.names())}; or name a YAML file")
    found = PROFILES.load(word)
    if isinstance(found, Profile):
        return found
    if isinstance(found, str | Path):
        return _own(load_profile(Path(found)), word)
    raise ProfileError(f"profile {word!r}: the plug-in names a {type(found).__name__}, not a Profile or a YAML file")


def _own(profile: Profile, where: str) -> Profile:
    """Refuse a profile that calls itself by another's name: tables could not tell the two apart."""
    if profile.name in BUILTIN and profile.address != builtin(profile.name).address:
        raise ProfileError(f"{where}: the name {profile.name!r} is that of a built-in profile; give yours another")
    return profile


@lru_cache(maxsize=64)
def builtin(name: str) -> Profile:
    """Read a built-in profile.

    Raises:
        ProfileError: If there is none of that name.
    """
    if name not in BUILTIN:
        raise ProfileError(f"unknown profile {name!r}: {nearest(name, BUILTIN)}")
    entry = files("generators.social.profiles") / f"{name}.yaml"
    profile = parse_profile(entry.read_text("utf-8"), entry.name)
    if profile.name != name:
        raise ProfileError(f"{entry.name}: calls itself {profile.name!r}")
    return profile


def load_profile(path: Path) -> Profile:
    """Read a YAML file.

    Raises:
        ProfileError: Naming file, line and field of up to five mistakes.
    """
    try:
        if not path.is_file():
            raise ProfileError(f"{path}: there is no such profile file")
        if path.stat().st_size > _MAX_BYTES:
            raise ProfileError(f"{path}: a profile has at most {_MAX_BYTES} bytes")
        return parse_profile(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not UTF-8 text: {error}") from error
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}") from error


def parse_profile(text: str, where: str) -> Profile:
    """Read a profile from text.

    Args:
        text: YAML.
        where: Name of the file, for errors.

    Raises:
        ProfileError: As `load_profile`.
    """
    tree = tree_of(text, where, ProfileError)
    if not isinstance(tree, dict):
        raise ProfileError(f"{where}: a profile is a mapping with the keys {', '.join(Profile.model_fields)}")
    try:
        return Profile.model_validate(plain(tree))
    except ValidationError as error:
        told = [f"{where}:{line_of(tree, one['loc'])}: {_explain(one)}" for one in error.errors()[:_MAX_TOLD]]
        raise ProfileError("\n".join(told)) from error


def _explain(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"unknown key {place!r}: {nearest(str(error['loc'][-1]), _fields(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"the key {place!r} is missing"
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']+)'|\b(\d+)\b", str(error.get("ctx", {}).get("expected", "")))
        return f"{place}: unknown value {error['input']!r}: {_nearest(error['input'], allowed)}"
    text = f"{place}: {error['msg'].removeprefix('Value error, ')}"
    return text if isinstance(error["input"], dict | list) else f"{text}, got {error['input']!r}"


def _nearest(value: Any, allowed: Sequence[tuple[str, str]]) -> str:
    """The nearest allowed word, or the nearest number where they are numbers."""
    numbers = [int(number) for _, number in allowed if number]
    if numbers and isinstance(value, int | float):
        best = min(numbers, key=lambda number: abs(number - value))
        return f"did you mean {best}? known: {', '.join(map(str, sorted(numbers)))}"
    return nearest(str(value), [text or number for text, number in allowed])


def _fields(place: Sequence[Any]) -> list[str]:
    """Keys that a block may have, by its place in the file."""
    if place and place[-1] == "x264":
        return list(X264_OPTIONS)
    model: type[BaseModel] = Profile
    for part in place:
        field = model.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field is not None else None
        model = inner or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The record inside an annotation such as `tuple[Step, ...] | None`."""
    if inspect.isclass(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in typing.get_args(annotation) if (found := _model_in(part))), None)
