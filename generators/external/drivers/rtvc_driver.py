"""Speak a text in the voice of a reference with Real-Time Voice Cloning.

The repository's own program asks for file and text on the terminal and catches every error; this script calls the
same functions once. It runs in the root of the checkout.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence


def fail(code: str, text: str) -> NoReturn:
    """Say why, in a form that the spec's messages know, and end."""
    sys.stderr.write(f"cmdfd-driver: {code}: {text}\n")
    raise SystemExit(3)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    for name in ("encoder", "synthesizer", "vocoder"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--text-file", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", required=True)
    return parser.parse_args(arguments)


class Spoken(NamedTuple):
    """Samples, [N] float, and their rate."""

    samples: Any
    rate: int


def speak(options: argparse.Namespace, text: str) -> Spoken:
    """Run its three networks one after another."""
    numpy, torch = import_module("numpy"), import_module("torch")
    encoder, vocoder = import_module("encoder.inference"), import_module("vocoder.inference")
    synthesizers = import_module("synthesizer.inference")
    random.seed(options.seed)
    numpy.random.seed(options.seed % 2**32)
    torch.manual_seed(options.seed)
    encoder.load_model(options.encoder)
    synthesizer = synthesizers.Synthesizer(options.synthesizer)
    vocoder.load_model(options.vocoder)
    wav = encoder.preprocess_wav(options.reference)
    if not len(wav):
        fail("audio_invalid", "its voice activity detector found no speech in the reference")
    spectrum = synthesizer.synthesize_spectrograms([text], [encoder.embed_utterance(wav)])[0]
    made = vocoder.infer_waveform(spectrum)
    # as its own program does: silence inside the sentence, where attention failed, is cut out
    made = encoder.preprocess_wav(numpy.pad(made, (0, synthesizer.sample_rate), mode="constant"))
    return Spoken(made, synthesizer.sample_rate)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run."""
    options = parse(arguments)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # it takes a GPU wherever it finds one
    for name in ("encoder", "synthesizer", "vocoder"):
        if not getattr(options, name).is_file():
            fail("weights_missing", f"the {name} {getattr(options, name)} is not there")
    text = Path(options.text_file).read_text(encoding="utf-8").strip()
    if not text:
        fail("input_unsupported", "there are no words to speak")
    sys.path.insert(0, str(Path.cwd()))
    try:
        soundfile = import_module("soundfile")
        spoken = speak(options, text)
    except ImportError as error:
        fail("env_missing", str(error))
    if not len(spoken.samples):
        fail("audio_invalid", "no speech is left after its silence was cut out")
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(out), spoken.samples.astype("float32"), spoken.rate)


if __name__ == "__main__":
    main()
