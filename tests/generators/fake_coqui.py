"""A stand-in for the package `TTS`, written into a folder: the calls that the real one takes, and a voice of tones.

The file that is given as a model is JSON: what the model can do, and where it shall fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Every spoken word is a tone of this length, then a gap of half of it, seconds.
WORD_SECONDS = 0.24
SYNTHESIZER = """
import json, os, random, socket, wave
from pathlib import Path
import numpy as np
import torch

CALLS = []


class Config(dict):
    supports_cloning = False


class Model:
    def __init__(self, facts):
        self.config = Config()
        self.config.supports_cloning = facts.get("clones", False)


def read(path):
    with wave.open(str(path)) as stream:
        return np.frombuffer(stream.readframes(stream.getnframes()), "<i2") / 32767, stream.getframerate()


class Synthesizer:
    def __init__(self, tts_checkpoint=None, tts_config_path=None, vc_checkpoint=None, vc_config=None):
        self.facts = json.loads(Path(tts_checkpoint or vc_checkpoint).read_text())
        CALLS.append(("load", str(tts_checkpoint or vc_checkpoint), os.environ.get("COQUI_TOS_AGREED")))
        if self.facts.get("bad_file"):
            raise RuntimeError("size mismatch for encoder in /home/somebody/models/x.pth")
        self.output_sample_rate = self.facts.get("rate", 22050)
        self.tts_model = Model(self.facts)

    def speak(self, text, **more):
        CALLS.append(("speak", text, more, torch.get_num_threads()))
        fault = self.facts.get("fault")
        if fault == "network":
            socket.getaddrinfo("example.org", 80)
        if fault in ("out of memory", "boom"):
            raise RuntimeError(fault)
        rate, seconds = self.output_sample_rate, self.facts.get("word_seconds", WORD_SECONDS)
        t = np.arange(round(seconds * rate)) / rate
        parts = []
        for k, word in enumerate(text.split()):
            tone = np.sin(2 * np.pi * (300 + 37 * (sum(map(ord, word)) % 40)) * t) * np.hanning(len(t))
            noise = 0.02 * np.random.rand(len(t)) + 0.02 * random.random() + 0.02 * float(torch.rand(1))
            parts += [0.5 * tone + noise * np.hanning(len(t)), np.zeros(len(t) // 2)]
        made = np.concatenate([*parts, np.zeros(10000)])
        if fault == "nan":
            made[100] = np.nan
        return list(made * (fault != "silent"))

    def voice_conversion(self, source_wav, target_wav, **more):
        source, rate = read(source_wav)
        target, _ = read(target_wav)
        CALLS.append(("convert", source, target))
        late = np.zeros(self.facts.get("late", 0))
        keep = len(source) - self.facts.get("lost", 0)
        return np.tanh(0.4 * np.concatenate([late, source])[:keep]).astype(np.float32)
"""
API = """
from TTS.utils.manage import ModelManager
from TTS.utils.synthesizer import CALLS, Synthesizer, read


class TTS:
    def __init__(self, model_name="", *, model_path=None, config_path=None, vocoder_path=None,
                 vocoder_config_path=None, progress_bar=True):
        if model_name:
            folder = ModelManager().output_prefix / model_name.replace("/", "--")
            model_path = folder / "model.pth"
        self.synthesizer = Synthesizer(tts_checkpoint=model_path, tts_config_path=config_path)
        self.voice_converter = None
        facts = self.synthesizer.facts
        self.speakers = facts.get("speakers")
        self.languages = facts.get("languages")

    def tts(self, text, speaker=None, language=None, speaker_wav=None):
        heard = None if speaker_wav is None else read(speaker_wav)
        return self.synthesizer.speak(text, speaker=speaker, language=language, heard=heard)
"""
MANAGE = """
import json
from pathlib import Path

HERE = Path(__file__).resolve().parents[2] / "known"


class ModelManager:
    def __init__(self, progress_bar=False):
        self.output_prefix = HERE
        self.models_dict = json.loads((HERE / "models.json").read_text())
"""


def write_package(folder: Path, *, start: str = "", api: str = "") -> Path:
    """Write the package.

    Args:
        folder: Where; goes onto sys.path.
        start: Python that runs when `TTS` is imported.
        api: Python that runs when `TTS.api` is imported.
    """
    for name, text in (
        ("__init__", start),
        ("api", api + API),
        ("utils/__init__", ""),
        ("utils/manage", MANAGE),
        ("utils/synthesizer", SYNTHESIZER.replace("WORD_SECONDS", str(WORD_SECONDS))),
    ):
        path = folder / "TTS" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    known: dict[str, Any] = {
        "tts_models": {
            "en": {
                "corpus": {"plain": {"license": "apache 2.0"}, "two": {"license": "MPL", "default_vocoder": VOCODER}}
            },
            "multilingual": {"big": {"xtts": {"license": "CPML", "tos_required": True}}},
        },
        "vocoder_models": {"en": {"corpus": {"gan": {"license": "MIT"}}}},
    }
    (folder / "known").mkdir(exist_ok=True)
    (folder / "known" / "models.json").write_text(json.dumps(known))
    return folder


VOCODER = "vocoder_models/en/corpus/gan"


def write_model(path: Path, **facts: Any) -> Path:
    """Write a file that the stand-in takes for a model, with its config beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))
    (path.parent / "config.json").write_text("{}")
    return path
