"""The drivers, run as programs beside stand-ins for the packages that they call."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import wave
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

DRIVERS = Path(str(files("generators.external") / "drivers"))
#: A stand-in of torch, soundfile and numpy's seed for all drivers: writes real wav files, records seeds.
TORCH = """
import json, pathlib
def manual_seed(seed): pathlib.Path("seed.json").write_text(json.dumps(seed))
def load(path, map_location=None, weights_only=None): return {"from": path, "device": str(map_location)}
class hub:
    @staticmethod
    def load_state_dict_from_url(url, **more): raise OSError("no network")
"""
SOUNDFILE = """
import wave
import numpy
def write(path, samples, rate):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1); file.setsampwidth(2); file.setframerate(rate)
        file.writeframes((numpy.asarray(samples) * 32767).astype("<i2").tobytes())
"""


def lay_out(root: Path, modules: dict[str, str]) -> Path:
    """Write stand-in modules by dotted name, packages included."""
    for name, text in {"torch": TORCH, "soundfile": SOUNDFILE, **modules}.items():
        parts = name.split(".")
        folder = root
        for part in parts[:-1]:
            folder = folder / part
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
        (folder / f"{parts[-1]}.py").write_text(textwrap.dedent(text))
    for name in ("weights.pt", "other.pt", "a.wav", "b.wav"):
        (root / name).write_bytes(b"0")
    (root / "text.txt").write_text("Hello {there}.\n", encoding="utf-8")
    return root


def run(root: Path, driver: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a driver as the runner does: a copy in the working folder, the stand-ins on the path."""
    (root / f"cmdfd_{driver}").write_bytes((DRIVERS / driver).read_bytes())
    done = subprocess.run(
        [sys.executable, f"cmdfd_{driver}", *arguments],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "TTS_HOME": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


# ---- RTVC

RTVC = {
    "encoder.inference": """
        import numpy
        def load_model(path): assert str(path) == "weights.pt"
        def preprocess_wav(wav):
            return numpy.ones(8000) if isinstance(wav, str) else wav[wav != 0]
        def embed_utterance(wav): return wav[:256]
    """,
    "synthesizer.inference": """
        import numpy, pathlib
        class Synthesizer:
            sample_rate = 16000
            def __init__(self, path): assert isinstance(path, pathlib.Path)
            def synthesize_spectrograms(self, texts, embeds):
                assert texts == ["Hello {there}."] and len(embeds[0]) == 256
                return [numpy.zeros((80, 50))]
    """,
    "vocoder.inference": """
        import numpy, os
        def load_model(path): pass
        def infer_waveform(spectrum):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
            return numpy.full(spectrum.shape[1] * 200, 0.25)
    """,
}
RTVC_ARGUMENTS = (
    "--encoder", "weights.pt", "--synthesizer", "weights.pt", "--vocoder", "other.pt", "--text-file", "text.txt",
    "--reference", "a.wav", "--seed", "11", "--out", "speech/out.wav",
)  # fmt: skip


def test_rtvc_speaks(tmp_path: Path) -> None:
    run(lay_out(tmp_path, RTVC), "rtvc_driver.py", *RTVC_ARGUMENTS)
    made = samples_of(tmp_path / "speech" / "out.wav")
    assert len(made) == 50 * 200, "the padding behind the sentence is cut again"
    assert json.loads((tmp_path / "seed.json").read_text()) == 11


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda root: (root / "other.pt").unlink(), "weights_missing"),
        (lambda root: (root / "text.txt").write_text(" \n"), "input_unsupported"),
        (lambda root: (root / "vocoder" / "inference.py").unlink(), "env_missing"),
        (
            lambda root: (root / "encoder" / "inference.py").write_text(
                "def load_model(path): pass\ndef preprocess_wav(wav): return wav[:0]\n"
            ),
            "audio_invalid",
        ),
    ],
)
def test_rtvc_says_what_is_wrong(tmp_path: Path, spoil, code: str) -> None:
    spoil(lay_out(tmp_path, RTVC))
    done = run(tmp_path, "rtvc_driver.py", *RTVC_ARGUMENTS, check=False)
    assert done.returncode == 3
    assert f"cmdfd-driver: {code}: " in done.stderr
    assert not (tmp_path / "speech" / "out.wav").exists()


# ---- kNN-VC

KNNVC = {
    "hubconf": """
        import torch, numpy
        class Tensor:
            def __init__(self, values): self.values = values
            def cpu(self): return self
            def numpy(self): return self.values
        class Model:
            sr = 16000
            def get_features(self, path): return [path] * 40
            def get_matching_set(self, paths): return [path for path in paths for _ in range(6)]
            def match(self, query, pool, topk):
                assert len(pool) == 6 and topk == 4
                return Tensor(numpy.full(len(query) * 320, 0.5))
        def knn_vc(pretrained, progress, prematched, device):
            assert pretrained and device == "cpu"
            g = torch.hub.load_state_dict_from_url("https://x/v0.1/prematch_g_02500000.pt", map_location=device)
            w = torch.hub.load_state_dict_from_url("https://x/WavLM-Large.pt", map_location=device, progress=progress)
            assert (g["from"], w["from"], prematched) == ("prematch_g_02500000.pt", "weights.pt", True)
            return Model()
    """,
}


def test_knnvc_converts_without_a_network(tmp_path: Path) -> None:
    root = lay_out(tmp_path, KNNVC)
    (root / "prematch_g_02500000.pt").write_bytes(b"0")
    arguments = ["--wavlm", "weights.pt", "--vocoder", "prematch_g_02500000.pt", "--source", "a.wav"]
    run(root, "knnvc_driver.py", *arguments, "--reference", "b.wav", "--out", "speech/out.wav")
    assert len(samples_of(root / "speech" / "out.wav")) == 40 * 320
    done = run(
        root, "knnvc_driver.py", *arguments, "--reference", "b.wav", "--topk", "9", "--out", "no.wav", check=False
    )
    assert "cmdfd-driver: audio_invalid: " in done.stderr
    (root / "weights.pt").unlink()
    done = run(root, "knnvc_driver.py", *arguments, "--reference", "b.wav", "--out", "no.wav", check=False)
    assert (done.returncode, "cmdfd-driver: weights_missing: " in done.stderr) == (3, True)
    assert not (root / "no.wav").exists()


# ---- OpenVoice

OPENVOICE = {
    "openvoice.api": """
        import pathlib
        class ToneColorConverter:
            watermark_model = "on"
            def __init__(self, config, device): assert (config, device) == ("other.pt", "cpu")
            def load_ckpt(self, path): assert path == "weights.pt"
            def extract_se(self, paths): return paths[0]
            def convert(self, audio_src_path, src_se, tgt_se, output_path, tau):
                assert (audio_src_path, src_se, tgt_se, tau) == ("a.wav", "a.wav", "b.wav", 0.3)
                pathlib.Path(output_path).write_bytes(b"RIFF")
    """,
}
OPENVOICE_ARGUMENTS = (
    "--config", "other.pt", "--model", "weights.pt", "--source", "a.wav", "--reference", "b.wav", "--out", "s/out.wav",
)  # fmt: skip


def test_openvoice_converts_with_its_watermark_on(tmp_path: Path) -> None:
    run(lay_out(tmp_path, OPENVOICE), "openvoice_driver.py", *OPENVOICE_ARGUMENTS)
    assert (tmp_path / "s" / "out.wav").read_bytes() == b"RIFF"


def test_openvoice_without_its_watermark_is_refused(tmp_path: Path) -> None:
    root = lay_out(tmp_path, OPENVOICE)
    place = root / "openvoice" / "api.py"
    place.write_text(place.read_text().replace('watermark_model = "on"', "watermark_model = None"))
    done = run(root, "openvoice_driver.py", *OPENVOICE_ARGUMENTS, check=False)
    assert "cmdfd-driver: env_missing: " in done.stderr
    assert not (root / "s" / "out.wav").exists()


# ---- Coqui

COQUI = {
    "TTS.api": """
        import json, pathlib
        class TTS:
            is_multi_lingual, languages = True, ["en", "fr-fr"]
            def __init__(self, model_path, config_path, progress_bar):
                self.config = json.loads(pathlib.Path(config_path).read_text())
                pathlib.Path("called.json").write_text(json.dumps({"model": model_path, "config": self.config}))
            def to(self, device): return self
            def tts_to_file(self, text, speaker_wav, language, file_path):
                assert (text, speaker_wav, language) == ("Hello {there}.", "a.wav", "en")
                pathlib.Path(file_path).write_bytes(b"RIFF")
    """,
    "TTS.utils.synthesizer": """
        import pathlib
        from TTS.vc.layers.freevc.speaker_encoder import speaker_encoder
        class Synthesizer:
            def __init__(self, vc_checkpoint, vc_config, use_cuda):
                assert vc_checkpoint.endswith("model.pth") and not use_cuda
                read = speaker_encoder.load_fsspec("https://x/speaker_encoder.pt", map_location="cpu")
                assert read == ("other.pt", "cpu")
            def voice_conversion(self, source_wav, target_wav): return source_wav + target_wav
            def save_wav(self, wav, path): pathlib.Path(path).write_text(wav)
    """,
    "TTS.vc.layers.freevc.speaker_encoder.speaker_encoder": """
        def load_fsspec(path, map_location=None): return path, map_location
    """,
}


def coqui_model(root: Path, **config: object) -> Path:
    folder = root / "model"
    folder.mkdir()
    (folder / "model.pth").write_bytes(b"0")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


SPEECH = ("speech", "--model", "model", "--text-file", "text.txt", "--reference", "a.wav", "--out", "s/out.wav")


def test_coqui_speaks_from_a_folder_that_was_moved(tmp_path: Path) -> None:
    """Configs of downloaded models name their companions by the path that they were downloaded to."""
    root = lay_out(tmp_path, COQUI)
    inner = {"speakers_file": "/home/who/tts/your_tts/speakers.json", "speaker_encoder_model_path": "/x/model_se.pth"}
    outer = {"language_ids_file": "/home/who/tts/language_ids.json", "d_vector_file": ["/y/speakers.json"]}
    folder = coqui_model(root, model="vits", model_args=inner, **outer)
    before = (folder / "config.json").read_text()
    for name in ("speakers.json", "model_se.pth", "language_ids.json"):
        (folder / name).write_text("{}")
    run(root, "coqui_driver.py", *SPEECH, "--seed", "5")
    called = json.loads((root / "called.json").read_text())
    assert called["model"] == "model/model.pth"
    named = [*called["config"]["model_args"].values(), called["config"]["language_ids_file"]]
    assert all((root / path).is_file() for path in [*named, *called["config"]["d_vector_file"]])
    assert (folder / "config.json").read_text() == before, "the user's own config is not rewritten"
    assert json.loads((root / "seed.json").read_text()) == 5
    assert (root / "s" / "out.wav").read_bytes() == b"RIFF"


def test_xtts_is_loaded_as_a_folder(tmp_path: Path) -> None:
    root = lay_out(tmp_path, COQUI)
    coqui_model(root, model="xtts")
    run(root, "coqui_driver.py", *SPEECH)
    assert json.loads((root / "called.json").read_text())["model"] == "model"


@pytest.mark.parametrize(
    ("arguments", "config", "code"),
    [
        ((*SPEECH, "--language", "xx"), {"model": "xtts"}, "input_unsupported"),
        (SPEECH, {"model": "vits", "speakers_file": "/gone/speakers.json"}, "weights_missing"),
        (("speech", "--model", "nowhere", *SPEECH[3:]), {}, "weights_missing"),
    ],
)
def test_coqui_says_what_is_wrong(
    tmp_path: Path, arguments: tuple[str, ...], config: dict[str, str], code: str
) -> None:
    root = lay_out(tmp_path, COQUI)
    coqui_model(root, **config)
    done = run(root, "coqui_driver.py", *arguments, check=False)
    assert (done.returncode, f"cmdfd-driver: {code}: " in done.stderr) == (3, True)
    assert not (root / "s" / "out.wav").exists()


def test_coqui_without_the_package(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {})
    coqui_model(root, model="xtts")
    done = run(root, "coqui_driver.py", *SPEECH, check=False)
    assert "cmdfd-driver: env_missing: " in done.stderr
    assert "pip install coqui-tts" in done.stderr


def test_coqui_converts_with_a_local_speaker_encoder(tmp_path: Path) -> None:
    root = lay_out(tmp_path, COQUI)
    coqui_model(root, model="freevc")
    conversion = ("conversion", "--model", "model", "--source", "a.wav", "--reference", "b.wav", "--out", "s/out.wav")
    missing = run(root, "coqui_driver.py", *conversion, "--speaker-encoder", "other.pt", check=False)
    assert "WavLM-Large" in missing.stderr
    (root / "tts" / "wavlm").mkdir(parents=True)
    (root / "tts" / "wavlm" / "WavLM-Large.pt").write_bytes(b"0")
    run(root, "coqui_driver.py", *conversion, "--speaker-encoder", "other.pt")
    assert (root / "s" / "out.wav").read_text() == "a.wavb.wav"


@pytest.mark.parametrize("driver", sorted(path.name for path in DRIVERS.glob("*_driver.py")))
def test_drivers_import_nothing_of_ours(driver: str) -> None:
    """They run in environments that have never heard of this project, down to Python 3.7."""
    import ast

    text = (DRIVERS / driver).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
