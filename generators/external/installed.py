"""Where the user's generators are: one table for each in a TOML file of theirs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from generators.external.spec import Name, SpecError
from generators.external.toml_read import parse_toml, read_text, validated

#: Names the file; wins over the user's configuration folder.
ENVIRONMENT = "CMDFD_GENERATORS"


class Installed(BaseModel):
    """One generator on this machine.

    Args:
        checkout: Folder of its repository.
        python: Interpreter for the runtime "python".
        accept_licence: Whether the user has read and keeps the terms.
        runtime: Overrides the spec's default.
        conda_env: Name or path of an environment, for the runtime "conda".
        image: Image, for the runtimes "container" and "cog".
        url: Address of a server, for the runtimes "http" and "cog".
        weights: Files of weights that do not lie in the checkout, by the spec's names.
        device: "cpu" or "cuda".
        timeout: Seconds; overrides the spec's.
        env_allow: Variables of the user's environment that the program may see.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    checkout: Path | None = None
    python: Path | None = None
    accept_licence: bool = False
    runtime: Literal["python", "uv", "conda", "container", "cog", "http"] | None = None
    conda_env: str = ""
    image: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._/:@-]*)?$")
    url: str = Field(default="", pattern=r"^(https?://[^\s]+)?$")
    weights: dict[Name, Path] = {}
    device: Literal["cpu", "cuda"] = "cpu"
    timeout: float | None = Field(default=None, gt=0, le=7 * 86400)
    env_allow: list[str] = []

    @field_validator("checkout", "python")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        # not resolved: the interpreter of a virtual environment is a link, and only its own place makes it one
        return None if value is None else value.expanduser().absolute()

    @field_validator("weights")
    @classmethod
    def _absolute_weights(cls, value: dict[str, Path]) -> dict[str, Path]:
        return {name: path.expanduser().absolute() for name, path in value.items()}

    @field_validator("conda_env")
    @classmethod
    def _no_option(cls, value: str) -> str:
        if value.startswith("-"):
            raise ValueError(f"must be a name or a path, got {value!r}")
        return value


def config_path() -> Path:
    """The user's file, whether it is there or not."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("cmdfd") / "generators.toml"


def read_installed(path: Path | None = None) -> dict[str, Installed]:
    """All generators of the user, by id.

    Args:
        path: The file; `config_path` if None. A file that is not there is an empty one, unless it was named.

    Raises:
        SpecError: Naming line and field of mistakes.
    """
    path = path or config_path()
    if not path.is_file() and not os.environ.get(ENVIRONMENT):
        return {}
    text = read_text(path)
    found: dict[str, Installed] = {}
    for word, table in parse_toml(text, str(path)).items():
        if not isinstance(table, dict):
            raise SpecError(f"{path}: {word!r} must be a table [{word}]")
        found[word] = validated(Installed, table, text, str(path), (word,))
    return found


def find_installed(word: str, path: Path | None = None) -> Installed | None:
    """The user's table for one generator, or None."""
    return read_installed(path).get(word)
