"""Lazy registries: names that point to classes; listing them never imports what stands behind them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import warnings
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType


class RegistryError(CmdfdError):
    """A name that stands for nothing, or for something that cannot be loaded."""


class PluginWarning(UserWarning):
    """A third-party plug-in that is left out; the others keep working."""


def load_object(reference: str) -> Any:
    """Import what "pkg.mod:Name" or "path/to/file.py:Name" names.

    Args:
        reference: Module or file, a colon, and the name of an object in it ("mod:Class.method" is fine).

    Raises:
        RegistryError: If the reference is malformed, or its module, file or object cannot be loaded.
    """
    place, _, name = reference.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise RegistryError(f"{reference!r} is not of the form 'pkg.mod:Name' or 'path/to/file.py:Name'")
    found: Any = _module_from_file(Path(place)) if place.endswith(".py") else _module(place)
    for part in name.split("."):
        if not hasattr(found, part):
            public = [word for word in dir(found) if not word.startswith("_")]
            raise RegistryError(f"{place!r} has no {part!r}: {nearest(part, public)}")
        found = getattr(found, part)
    return found


def _module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise RegistryError(f"{name!r} is not the name of a module")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if isinstance(error, CmdfdError):  # a missing extra already names the command to type
            raise
        raise RegistryError(f"module {name!r} cannot be imported: {error}") from error


def _module_from_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise RegistryError(f"{str(path)!r} is not a file")
    # The name carries the place, so that two files of one name do not take each other's classes.
    name = f"cmdfd_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RegistryError(f"{str(path)!r} cannot be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@dataclass(frozen=True, slots=True)
class Registry:
    """Names of one kind of thing.

    Args:
        noun: What is registered, for error texts, e.g. "detector".
        group: Entry-point group through which installed packages add names, e.g. "cmdfd.detectors".
        entries: In-tree names with their "module:Class" strings; they win over plug-ins of the same name.
        thing: What stands behind a name, for error texts: "class" or "function".
        beside: Further names that are known but not looked up here, listed in the error of an unknown one.
    """

    noun: str
    group: str
    entries: Mapping[str, str] = field(default_factory=dict)
    thing: str = "class"
    beside: tuple[str, ...] = ()

    def _plugins(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=self.group), key=lambda each: (each.name, each.value)):
            taken = self.entries.get(point.name) or (point.name in found and found[point.name].value)
            if not taken:
                found[point.name] = point
            elif taken != point.value:
                warnings.warn(
                    f"{self.noun} {point.name!r} of {_origin(point)} is left out: the name is {taken!r}",
                    PluginWarning,
                    stacklevel=3,
                )
        return found

    def names(self) -> tuple[str, ...]:
        """All known names: the in-tree ones in their order, then plug-ins. Imports none of them."""
        return (*self.entries, *self._plugins())

    def reference(self, name: str) -> str:
        """The "module:Class" string (or "file.py:Class") behind a name.

        Raises:
            RegistryError: For an unknown name, with the nearest right one.
        """
        if name in self.entries:
            return self.entries[name]
        plugins = self._plugins()
        if name in plugins:
            return plugins[name].value
        place, colon, _ = name.rpartition(":")
        if colon and (place.endswith(".py") or importable(place)):
            return name
        example = "Class" if self.thing == "class" else self.thing
        raise RegistryError(
            f"unknown {self.noun} {name!r}: {nearest(name, (*self.beside, *self.names()))}; or name a {self.thing} of "
            f"your own as 'pkg.mod:{example}' or 'path/to/file.py:{example}'"
        )

    def load(self, name: str) -> Any:
        """Import the class behind a registered name, "pkg.mod:Class" or "path/to/file.py:Class".

        Raises:
            RegistryError: For an unknown name, or a plug-in that cannot be imported, with its origin.
        """
        reference = self.reference(name)
        if name not in self.entries and (point := self._plugins().get(name)):
            try:
                return point.load()
            except Exception as error:
                raise RegistryError(
                    f"{self.noun} {name!r} of {_origin(point)} cannot be loaded: {type(error).__name__}: {error}"
                ) from error
        return load_object(reference)

    def load_all(self) -> Iterator[tuple[str, Any]]:
        """Every name with its class; a broken plug-in only warns, a broken in-tree entry raises."""
        for name in self.names():
            try:
                found = self.load(name)
            except RegistryError as error:
                if name in self.entries:
                    raise
                warnings.warn(str(error), PluginWarning, stacklevel=2)
                continue
            yield name, found


def importable(module: str) -> bool:
    """Whether a module of this dotted name can be found; its parent packages are imported for that."""
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "an unknown package"
    return f"plug-in {point.value!r} ({package})"
