"""The real Coqui TTS, in an environment that this test makes, voices a set of talkers with a model of random weights.

`CMDFD_TTS_ENV` names a folder in which the environment is kept between runs; without it, it is made anew each time
(about a minute and a half) and thrown away. Where the published torchaudio does not load beside torch, which is so for
its CPU build, an empty module of that name is put in front of the path of these runs; the product has none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmdfd.clip import sha256_file
from cmdfd.media.decode import read_clip
from cmdfd.tables import read_table
from generators.audio.coqui import BESIDE
from generators.audio.dsp import resample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
#: What pip says where the network, not the project, is to blame.
UNREACHABLE = ("connection", "timed out", "name resolution", "proxy", "no matching distribution", "ssl")
STAND_IN = '__version__ = "0"\n\n\nclass functional: ...\n\n\nclass transforms: ...\n'
MAKE_MODELS = """
import json, sys, torch
from pathlib import Path
from TTS.tts.configs.glow_tts_config import GlowTTSConfig
from TTS.tts.models.glow_tts import GlowTTS
from TTS.tts.utils.text.tokenizer import TTSTokenizer
from TTS.vc.configs.openvoice_config import OpenVoiceConfig
from TTS.vc.models.openvoice import OpenVoice

for seed in (1, 2):
    torch.manual_seed(seed)
    config = GlowTTSConfig(
        text_cleaner="english_cleaners", use_phonemes=False, num_flow_blocks_dec=2, hidden_channels_enc=32,
        hidden_channels_dec=32, hidden_channels_dp=32, test_sentences=[],
        encoder_params={"kernel_size": 3, "dropout_p": 0.1, "num_layers": 2, "num_heads": 2, "hidden_channels_ffn": 64},
    )
    _, config = TTSTokenizer.init_from_config(config)
    folder = Path(sys.argv[1]) / f"glow-{seed}"
    folder.mkdir()
    model = GlowTTS.init_from_config(config)
    torch.save({"model": model.state_dict(), "config": config.to_dict(), "step": 0}, folder / "model.pth")
    config.save_json(str(folder / "config.json"))
folder = Path(sys.argv[1]) / "OpenVoice"
folder.mkdir()
model = OpenVoice(OpenVoiceConfig())
torch.save({"model": model.state_dict()}, folder / "model.pth")
audio = model.config.audio
data = {"sampling_rate": audio.input_sample_rate, "filter_length": audio.fft_size,
        "hop_length": audio.hop_length, "win_length": audio.win_length}
(folder / "config.json").write_text(json.dumps({"data": data}))
"""
#: The package by itself, none of this project's code: what the model says to a text with a seed.
SPEAK = """
import json, random, sys
import numpy as np, torch
from TTS.api import TTS

tts = TTS(model_path=sys.argv[1], config_path=sys.argv[1].replace("model.pth", "config.json"), progress_bar=False)
for job in json.loads(sys.argv[2]):
    random.seed(job["seed"]); np.random.seed(job["seed"] % 2**32); torch.manual_seed(job["seed"])
    np.save(job["out"], np.asarray(tts.tts(job["text"]), np.float32))
print(tts.synthesizer.output_sample_rate)
"""


@dataclass(frozen=True)
class Environment:
    """A Python with Coqui TTS, and what must stand on its path."""

    python: Path
    path: str

    def run(self, *arguments: str, timeout: float = 400.0) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "COQUI_TOS_AGREED"}
        environment |= {"PYTHONPATH": self.path, "TTS_HOME": str(self.python.parent / "nothing")}
        command = [str(self.python), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)


def installed(folder: Path) -> Path:
    """Python of an environment with the project's requirements, the extras `tts` and `talkers`, and companions."""
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if ready.is_file():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["tts"], *extras["talkers"]]
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    for step in ([*pip, "-c", str(ROOT / "constraints.txt"), *wanted], [*pip, *BESIDE.split()[2:]]):
        done = subprocess.run(step, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode and any(word in done.stderr.lower() for word in UNREACHABLE):
            pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1][:200]}")
        assert done.returncode == 0, done.stderr[-2000:]
    ready.write_text("")
    return python


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    if sys.platform == "win32":
        pytest.skip("the folders of an environment are those of POSIX here")
    named = os.environ.get("CMDFD_TTS_ENV")
    python = installed(Path(named).absolute() if named else tmp_path_factory.mktemp("coqui") / "env")
    plain = Environment(python, str(ROOT))
    if plain.run("-c", "import torchaudio").returncode == 0:
        return plain
    # before anything stands in for it, the product says what is wrong
    told = plain.run("-c", "from generators.registry import make_generator as g; print(g('audio/tts').problems())")
    assert "torchaudio cannot be loaded" in told.stdout and "belongs to torch" in told.stdout, told.stdout + told.stderr
    stand_in = tmp_path_factory.mktemp("stand-in")
    (stand_in / "torchaudio").mkdir()
    (stand_in / "torchaudio" / "__init__.py").write_text(STAND_IN)
    return Environment(python, os.pathsep.join([str(stand_in), str(ROOT)]))


@pytest.fixture(scope="module")
def models(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    done = environment.run("-c", MAKE_MODELS, str(folder))
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def recipe_of(models: Path) -> dict[str, Any]:
    first, second = ({"model_path": str(models / f"glow-{k}" / "model.pth"), "licence": "CC0-1.0"} for k in (1, 2))
    convert = {"model_path": str(models / "OpenVoice" / "model.pth"), "licence": "MIT"}
    return {
        "schema_version": 1,
        "name": "spoken",
        "seed": 3,
        "source": {"kind": "talkers", "options": {"cast": "a", "difficulty": 0, "seconds": 2.6, "size": 160}},
        "splits": {"test": {"identities": 2, "clips": 1}},
        "kinds": [
            {"kind": "audio/tts", "params": {**first, "align": "free"}},
            {"kind": "audio/tts-fit", "generator": "audio/tts", "params": {**first, "align": "fit"}, "shams": 1},
            {"kind": "audio/tts-other", "generator": "audio/tts", "params": {**second, "align": "free"}},
            {"kind": "audio/tts-words", "generator": "audio/tts", "params": {**first, "align": "words"}},
            {"kind": "audio/vc", "params": convert, "driver": "cross"},
        ],
        "harmonise": {"width": 160, "height": 160, "seconds": 2.0, "crf": [25, 26], "preset": "ultrafast"},
        "audit": {"gate": False},
    }


@pytest.fixture(scope="module")
def built(environment: Environment, models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The set, built twice by the command line."""
    folder = tmp_path_factory.mktemp("built")
    recipe = folder / "spoken.yaml"
    recipe.write_text(json.dumps(recipe_of(models)))  # JSON is YAML
    for name in ("one", "two"):
        build = ["-m", "generators.build", str(recipe), "--out", str(folder / name), "--workers", "1"]
        done = environment.run(*build)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "one", folder / "two"


def clips(out: Path) -> dict[str, dict[str, Any]]:
    """Rows by clip id: table, labels and provenance."""
    rows: dict[str, dict[str, Any]] = {}
    for table in (out / "test" / "metadata.parquet", out / "test" / "labels.parquet", out / "provenance.parquet"):
        for row in read_table(table):
            rows.setdefault(row["id"], {}).update(row)
    return rows


def sound(out: Path, row: dict[str, Any]) -> np.ndarray:
    found = read_clip(out / "test" / row["file_name"], sample_rate=RATE).audio
    assert found is not None
    return found.samples.reshape(-1)[: 2 * RATE]


def by_kind(out: Path) -> dict[tuple[str, str, bool], dict[str, Any]]:
    """Kind in the recipe, take, sham -> row."""
    return {(row["kind"], row["take"], "sham" in row["variant"]): row for row in clips(out).values()}


def test_the_set_is_whole_and_says_what_it_is(built: tuple[Path, Path], models: Path) -> None:
    rows = list(clips(built[0]).values())
    assert len(rows) == 2 * 7 and read_table(built[0] / "refused.parquet") == []
    weights = {k: sha256_file(models / f"glow-{k}" / "model.pth") for k in (1, 2)}
    for row in rows:
        if row["kind"].startswith("audio/tts"):
            details = json.loads(row["details"])
            assert details["weights"]["model"] == weights[2 if row["kind"].endswith("other") else 1]
            assert details["tools"].startswith("coqui-tts 0.") and row["generator"] == "audio/tts"
            assert (row["label"], row["audio_label"], row["video_label"], row["identity_mismatch"]) == (1, 1, 0, 1)
            assert row["sync_mismatch"] == (0 if row["kind"].endswith("words") else 1)
    converted = [row for row in rows if row["kind"] == "audio/vc"]
    assert [(row["sync_mismatch"], row["identity_mismatch"]) for row in converted] == [(0, 1), (0, 1)]


def test_it_is_the_same_every_time(built: tuple[Path, Path]) -> None:
    one, two = ({name: row["sha256"] for name, row in clips(out).items()} for out in built)
    assert one == two and len(set(one.values())) >= 12


def test_every_clip_is_as_long_as_its_real_one_and_sounds_otherwise(built: tuple[Path, Path]) -> None:
    rows = by_kind(built[0])
    takes = {take for _, take, _ in rows}
    for take in takes:
        real = sound(built[0], rows["real", take, False])
        for kind in ("audio/tts", "audio/tts-fit", "audio/tts-other", "audio/tts-words", "audio/vc"):
            forged = sound(built[0], rows[kind, take, False])
            assert len(forged) == len(real) == 2 * RATE and np.abs(forged).max() > 0.02
            assert abs(np.corrcoef(real, forged)[0, 1]) < 0.5
        two_models = [sound(built[0], rows[kind, take, False]) for kind in ("audio/tts", "audio/tts-other")]
        assert abs(np.corrcoef(*two_models)[0, 1]) < 0.5


def test_what_is_heard_is_what_the_package_says(
    built: tuple[Path, Path], environment: Environment, models: Path, tmp_path: Path
) -> None:
    """The very samples: the package alone, asked for the same words with the same seed, is found in the clip."""
    rows = [row for row in clips(built[0]).values() if row["kind"] == "audio/tts"]
    jobs = [
        {"seed": json.loads(row["details"])["seed"], "text": row["transcript"], "out": str(tmp_path / f"{k}.npy")}
        for k, row in enumerate(rows)
    ]
    done = environment.run("-c", SPEAK, str(models / "glow-1" / "model.pth"), json.dumps(jobs))
    assert done.returncode == 0, done.stderr[-2000:]
    rate = int(done.stdout.split()[-1])
    for row, job in zip(rows, jobs, strict=True):
        own = resample(np.load(job["out"]), rate, RATE)
        heard = sound(built[0], row)[RATE // 2 : RATE]  # half a second from the middle, found again by correlation
        windows = np.lib.stride_tricks.sliding_window_view(own, len(heard))
        norms = np.sqrt(np.square(windows).sum(axis=1)) + 1e-9
        assert (windows @ heard / norms).max() / np.linalg.norm(heard) > 0.8
