"""The doctor and the list, as commands."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from generators import doctor
from generators import list as listing
from generators.external import check
from generators.external.catalogue import find_spec, spec_paths
from generators.external.installed import Installed, read_installed
from generators.registry import GENERATORS


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a generators.toml, and a wide terminal."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CMDFD_GENERATORS", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    path = tmp_path / "generators.toml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("CMDFD_GENERATORS", str(path))
    return path


def fake_wav2lip(folder: Path) -> Path:
    """A checkout with every file that the spec names, and no weights."""
    spec = find_spec("wav2lip")
    for name in [*spec.run.files_needed, "inference.py"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def toml_for(checkout: Path, **more: object) -> str:
    table = {"checkout": str(checkout), "python": sys.executable, "accept_licence": True, **more}
    return "[wav2lip]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def test_nothing_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["wav2lip"]) == 1
    out = capsys.readouterr().out
    assert "external/wav2lip: not usable: env_missing" in out
    assert "git clone https://github.com/Rudrabha/Wav2Lip" in out
    assert "not accepted yet" in out
    assert "Containment of external generators: " in out
    assert "research-only" in out


@pytest.mark.parametrize("word", sorted(spec_paths()))
def test_snippets_are_read_by_the_config_reader(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec(word)
    text = doctor.snippet(spec)
    path = configure(tmp_path, monkeypatch, text)
    read = read_installed(path)[word]
    assert read.accept_licence is False, "nobody accepts terms by pasting"
    assert (read.device == "cuda") == (spec.run.gpu == "required")
    assert set(tomllib.loads(text)) == {word}
    if not spec.run.checkout:
        assert set(read.weights) == {one.name for one in spec.weights if not one.optional}


def test_snippet_keeps_what_the_user_has_said(tmp_path: Path) -> None:
    spec = find_spec("wav2lip")
    said = Installed.model_validate(
        {"checkout": "/data/w2l", "python": "/env/bin/python", "accept_licence": True, "weights": {"model": "/w/m.pth"}}
    )
    again = Installed.model_validate(tomllib.loads(doctor.snippet(spec, said))["wav2lip"])
    assert again == said


def test_only_weights_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "missing_modules", lambda python, modules: ())
    checkout = fake_wav2lip(tmp_path / "Wav2Lip")
    configure(tmp_path, monkeypatch, toml_for(checkout))
    found = doctor.diagnose("external/wav2lip")
    assert [problem.code for problem in found.problems] == ["weights_missing", "weights_missing"]
    assert str(checkout / "checkpoints" / "wav2lip_gan.pth") in found.problems[0].what
    assert doctor.main(["wav2lip"]) == 1
    out = capsys.readouterr().out
    assert "not usable: weights_missing" in out
    assert "accepted by you" in out
    assert "s3fd-619a316812.pth" in out


def test_complete_is_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "missing_modules", lambda python, modules: ())
    checkout = fake_wav2lip(tmp_path / "Wav2Lip")
    (checkout / "face_detection" / "detection" / "sfd" / "s3fd.pth").write_bytes(b"0")
    elsewhere = tmp_path / "gan.pth"
    elsewhere.write_bytes(b"1")
    text = toml_for(checkout) + f"weights = {{ model = {json.dumps(str(elsewhere))} }}\n"
    configure(tmp_path, monkeypatch, text)
    assert doctor.main(["wav2lip"]) == 0
    out = capsys.readouterr().out
    assert "external/wav2lip: usable" in out
    assert "Missing" not in out
    assert "Paste into" not in out
    assert "there    model: " in out


@pytest.mark.parametrize(
    ("broken", "code"),
    [({"accept_licence": False}, "licence_refused"), ({"python": "/nowhere/python"}, "env_missing")],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: dict[str, object], code: str
) -> None:
    monkeypatch.setattr(check, "missing_modules", lambda python, modules: ())
    configure(tmp_path, monkeypatch, toml_for(fake_wav2lip(tmp_path / "w"), **broken))
    assert doctor.diagnose("wav2lip").problems[0].code == code


def test_interpreter_without_modules_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real question to a real interpreter: this one has no module of that name."""
    check.missing_modules.cache_clear()
    spec = find_spec("wav2lip")
    changed = spec.model_copy(update={"run": spec.run.model_copy(update={"modules": ["json", "no_such_module_here"]})})
    installed = Installed.model_validate({"checkout": str(fake_wav2lip(tmp_path)), "python": sys.executable})
    told = " ".join(problem.what for problem in check.check(changed, installed))
    assert "no_such_module_here" in told
    assert "json" not in told


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("wav2lib", "external/wav2lib", "audio/swop"):
        assert doctor.main([name]) == 2
        assert "did you mean" in capsys.readouterr().err


def test_broken_config_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path, monkeypatch, '[wav2lip]\ncheckout = "/x"\npyton = "/y"\n')
    assert doctor.main(["wav2lip"]) == 2
    error = capsys.readouterr().err
    assert "generators.toml:3" in error
    assert "python" in error


def test_a_spec_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(spec_paths()["wav2lip"].read_text().replace('id = "wav2lip"', 'id = "mine"'))
    assert doctor.main([str(path)]) == 1
    assert "[mine]" in capsys.readouterr().out


def test_in_process_ones(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["audio/swap"]) == 0
    from generators.audio import voice_change

    assert doctor.main(["audio/voice_change"]) == 0
    monkeypatch.setattr("cmdfd.media.ffmpeg.filters_of", lambda program: frozenset({"scale"}))
    assert doctor.main(["audio/voice_change"]) == 1
    assert "rubberband" in capsys.readouterr().out
    assert voice_change.VoiceChange().problems()


def test_tts_names_its_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "TTS" else real(name, *rest))
    assert doctor.main(["audio/tts"]) == 1
    assert ".[tts]" in capsys.readouterr().out.replace("\n    ", " ")


def test_table_of_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("generators.audio.coqui.lacking", lambda error=None: "not here")  # asking the package is slow
    assert doctor.main([]) == 0
    out = capsys.readouterr().out
    for name in [*GENERATORS.names(), *(f"external/{word}" for word in spec_paths())]:
        assert name in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_list_as_json_is_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.main(["--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert read == json.loads(json.dumps([asdict(one) for one in listing.all_listed()]))
    by_name = {one["name"]: one for one in read}
    assert set(by_name) == {*GENERATORS.names(), *(f"external/{word}" for word in spec_paths())}
    assert by_name["external/wav2lip"]["commercial"] is False
    assert by_name["external/wav2lip"]["makes"] == "FVRA"
    assert by_name["audio/desync"]["makes"] == "RVRA"
    assert by_name["audio/tts"]["commercial"] is None


@pytest.mark.parametrize("width", [100, 120])
def test_list_fits(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert listing.main([]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= width
    for word in spec_paths():
        assert f"external/{word} " in out, "names are not broken"


def test_list_of_a_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.main(["--family", "faceswap", "--json"]) == 0
    names = {one["name"] for one in json.loads(capsys.readouterr().out)}
    assert names == {"video/face_swap", "external/facefusion", "external/simswap"}
    assert listing.main(["--family", "facswap"]) == 2
    assert "faceswap" in capsys.readouterr().err
