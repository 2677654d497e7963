"""Where specs are: those of the package, those of the user, or any file."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from cmdfd.errors import nearest
from generators.external.spec import ExternalSpec, SpecError
from generators.external.toml_read import parse_toml, read_text, validated

PREFIX = "external/"


def parse_spec(text: str, where: str) -> ExternalSpec:
    """Read a spec from text.

    Args:
        text: TOML.
        where: Name of the file, for errors.

    Raises:
        SpecError: Naming line and field of up to five mistakes.
    """
    return validated(ExternalSpec, parse_toml(text, where), text, where)


def read_spec(path: Path) -> ExternalSpec:
    """Read a spec from a file.

    Raises:
        SpecError: As `parse_spec`, or if the file cannot be read.
    """
    return parse_spec(read_text(path), str(path))


def user_folder() -> Path:
    """Where the user's own specs lie."""
    from platformdirs import user_config_path

    return user_config_path("cmdfd") / "generators"


def spec_paths() -> dict[str, Path]:
    """Ids of all known specs with their files; a user's spec wins over one of the package."""
    with as_file(files("generators.external") / "specs") as folder:
        found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    own = user_folder()
    if own.is_dir():
        found |= {path.stem: path for path in sorted(own.glob("*.toml"))}
    return dict(sorted(found.items()))


def is_external(name: str) -> bool:
    """Whether a generator's name belongs here: "external/ID", or a path that ends in .toml."""
    return name.startswith(PREFIX) or name.endswith(".toml")


def find_spec(name: str) -> ExternalSpec:
    """Read a spec by name.

    Args:
        name: "external/ID", "ID", or the path of a TOML file.

    Raises:
        SpecError: If there is none, its id is not its file's name, or it breaks the schema.
    """
    if name.endswith(".toml"):
        return read_spec(Path(name))
    known = spec_paths()
    word = name.removeprefix(PREFIX)
    if word not in known:
        raise SpecError(f"unknown external generator {name!r}: {nearest(word, known)}; or name a .toml file")
    spec = read_spec(known[word])
    if spec.id != word:
        raise SpecError(f"{known[word]}: id = {spec.id!r} must be the name of the file")
    return spec
