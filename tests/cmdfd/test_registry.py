from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import cmdfd.registry
from cmdfd.registry import PluginWarning, Registry, RegistryError, load_object

THINGS = Registry("thing", group="cmdfd.things", entries={"path": "pathlib:Path", "counter": "collections:Counter"})


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(cmdfd.registry, "entry_points", lambda group: [p for p in points if p.group == group])
    return points


def point(name: str, value: str, group: str = "cmdfd.things") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=group)


def test_names_load_what_they_stand_for(plugins: list[EntryPoint]) -> None:
    plugins += [point("fraction", "fractions:Fraction"), point("other", "json:loads", group="elsewhere")]
    assert THINGS.names() == ("path", "counter", "fraction")
    assert THINGS.load("path") is Path
    assert THINGS.load("fraction").__name__ == "Fraction"
    assert dict(THINGS.load_all())["path"] is Path


def test_listing_imports_nothing() -> None:
    code = (
        "import sys; from cmdfd.registry import Registry;"
        "r = Registry('thing', group='cmdfd.things', entries={'a': 'torch.nn:Linear', 'b': 'wave:Wave_read'});"
        "assert r.names()[:2] == ('a', 'b'); print(sorted({'torch', 'wave'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_wrong_name_is_answered_with_the_nearest(plugins: list[EntryPoint]) -> None:
    plugins.append(point("fraction", "fractions:Fraction"))
    with pytest.raises(RegistryError, match=r"unknown thing 'fracton': did you mean 'fraction'\?"):
        THINGS.load("fracton")
    with pytest.raises(RegistryError, match="known: counter, fraction, path"):
        THINGS.load("zzz")
    with pytest.raises(RegistryError, match="unknown thing"):
        THINGS.load("no_such_module_anywhere:Class")


def test_a_broken_plugin_only_warns(plugins: list[EntryPoint]) -> None:
    plugins += [point("broken", "no_such_module_anywhere:Class"), point("fraction", "fractions:Fraction")]
    with pytest.warns(PluginWarning, match="'broken' of plug-in 'no_such_module_anywhere:Class'"):
        found = dict(THINGS.load_all())
    assert set(found) == {"path", "counter", "fraction"}
    with pytest.raises(RegistryError, match="cannot be loaded: ModuleNotFoundError"):
        THINGS.load("broken")


def test_a_plugin_cannot_take_an_in_tree_name(plugins: list[EntryPoint]) -> None:
    plugins.append(point("path", "fractions:Fraction"))
    with pytest.warns(PluginWarning, match="'path' of plug-in 'fractions:Fraction' .* is left out"):
        assert THINGS.load("path") is Path
        assert THINGS.names() == ("path", "counter")
    plugins[:] = [point("path", "pathlib:Path")]  # the project's own entry points say the same: no warning
    assert THINGS.names() == ("path", "counter")


def test_a_broken_in_tree_entry_is_an_error() -> None:
    broken = Registry("thing", group="cmdfd.things", entries={"x": "pathlib:Pth"})
    with pytest.raises(RegistryError, match=r"'pathlib' has no 'Pth': did you mean 'Path'\?"):
        dict(broken.load_all())


def test_classes_from_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"
    for path, value in ((first, 1), (second, 2)):
        path.parent.mkdir()
        path.write_text(f"class Mine:\n    value = {value}\n")
    assert THINGS.load(f"{first}:Mine").value == 1
    assert THINGS.load(f"{second}:Mine").value == 2  # two files of one name stay two
    assert THINGS.load(f"{first}:Mine") is THINGS.load(f"{first}:Mine")
    with pytest.raises(RegistryError, match="is not a file"):
        THINGS.load(f"{tmp_path}/none.py:Mine")
    first.with_name("bad.py").write_text("raise RuntimeError('no')\n")
    with pytest.raises(RuntimeError, match="no"):
        THINGS.load(f"{first.with_name('bad.py')}:Mine")
    assert not [name for name in sys.modules if name.startswith("cmdfd_file_bad")]


def test_classes_from_modules() -> None:
    assert THINGS.load("fractions:Fraction").__name__ == "Fraction"
    assert load_object("pathlib:Path.home")() == Path.home()


@pytest.mark.parametrize("text", ["", "json", ":x", "json:", "json:a b", "os;rm:x", "json:loads()", "a/b:c"])
def test_malformed_references_are_refused(text: str) -> None:
    with pytest.raises(RegistryError):
        load_object(text)


def test_the_error_of_an_unknown_name_tells_what_to_write_and_what_is_always_there() -> None:
    functions = Registry("metric", group="cmdfd.none", entries={"own": "m:f"}, thing="function", beside=("auc", "eer"))
    with pytest.raises(RegistryError) as caught:
        functions.load("prec")
    assert str(caught.value) == (
        "unknown metric 'prec': known: auc, eer, own; or name a function of your own as 'pkg.mod:function' or "
        "'path/to/file.py:function'"
    )
    with pytest.raises(RegistryError, match=r"a class of your own as 'pkg.mod:Class'"):
        THINGS.load("nothing")
