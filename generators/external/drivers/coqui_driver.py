"""Speak, or convert a voice, with a Coqui model that lies on this machine; nothing is fetched and no question asked.

The `tts` program of the package asks for terms on the terminal, rewrites the model's own config.json, and downloads
what it does not find. This script calls the same classes with a private copy of the config instead.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Files that a model's config names by the path that they had when they were downloaded, with the usual names.
PATHS = {
    "d_vector_file": ("speakers.json", "speakers.pth"),
    "speakers_file": ("speaker_ids.json", "speaker_ids.pth", "speakers.json", "speakers.pth"),
    "language_ids_file": ("language_ids.json",),
    "speaker_encoder_model_path": ("model_se.pth", "model_se.pth.tar"),
    "speaker_encoder_config_path": ("config_se.json",),
}
CHECKPOINTS = ("model_file.pth", "model_file.pth.tar", "model.pth", "checkpoint.pth")


def fail(code: str, text: str) -> NoReturn:
    """Say why, in a form that the spec's messages know, and end."""
    sys.stderr.write(f"cmdfd-driver: {code}: {text}\n")
    raise SystemExit(3)


def there(path: str | Path, what: str) -> Path:
    """A path that must exist."""
    if not Path(path).exists():
        fail("weights_missing", f"{what} {path} is not there")
    return Path(path)


def local_config(model: Path, folder: Path) -> Path:
    """Write a copy of a model's config in which its companion files lie where the model lies; return its path."""
    config = json.loads(there(model / "config.json", "the model's config").read_text(encoding="utf-8"))
    for part in (config, config.get("model_args") or {}):
        for key, names in PATHS.items():
            value = part.get(key)
            if not value:
                continue
            old = Path(value[0] if isinstance(value, list) else value).name
            found = next((model / name for name in (old, *names) if (model / name).is_file()), None)
            if found is None:
                fail("weights_missing", f"the model's folder lacks {old} ({key})")
            part[key] = [str(found)] if isinstance(value, list) else str(found)
    copy = folder / "config.json"
    copy.write_text(json.dumps(config), encoding="utf-8")
    return copy


def checkpoint_of(model: Path) -> Path:
    """The file of weights in a model's folder."""
    found = next((model / name for name in CHECKPOINTS if (model / name).is_file()), None)
    return found or fail("weights_missing", f"{model} has none of {', '.join(CHECKPOINTS)}")


def seed_all(seed: int) -> None:
    """Seed every generator of chance that the package uses."""
    random.seed(seed)
    import_module("numpy").random.seed(seed % 2**32)
    import_module("torch").manual_seed(seed)


def speech(options: argparse.Namespace) -> None:
    """Text in the voice of a reference."""
    text = Path(options.text_file).read_text(encoding="utf-8").strip()
    if not text:
        fail("input_unsupported", "there are no words to speak")
    model = there(options.model, "the model's folder")
    config = local_config(model, Path(options.out).resolve().parent)

    # XTTS loads itself from its folder, all others from their file of weights
    whole = (model / "speakers_xtts.pth").is_file() or json.loads(config.read_text("utf-8")).get("model") == "xtts"
    path = model if whole else checkpoint_of(model)
    api = (
        import_module("TTS.api")
        .TTS(model_path=str(path), config_path=str(config), progress_bar=False)
        .to(options.device)
    )
    language = options.language if api.is_multi_lingual else None
    if language is not None and api.languages and language not in api.languages:
        fail("input_unsupported", f"language {language!r} is none of {', '.join(api.languages)}")
    seed_all(options.seed)
    api.tts_to_file(text=text, speaker_wav=options.reference, language=language, file_path=options.out)


def conversion(options: argparse.Namespace) -> None:
    """A recording in the voice of a reference."""
    model = there(options.model, "the model's folder")
    config = local_config(model, Path(options.out).resolve().parent)
    home = Path(os.environ.get("TTS_HOME", "."))
    there(home / "tts" / "wavlm" / "WavLM-Large.pt", "WavLM-Large")
    encoder = there(options.speaker_encoder, "the speaker encoder")
    module = import_module("TTS.vc.layers.freevc.speaker_encoder.speaker_encoder")
    read = module.load_fsspec
    # the model names the encoder by its address; here it is read from the file
    module.load_fsspec = lambda path, *args, **kwargs: read(str(encoder), *args, **kwargs)  # type: ignore[attr-defined]
    voice = import_module("TTS.utils.synthesizer").Synthesizer(
        vc_checkpoint=str(checkpoint_of(model)), vc_config=str(config), use_cuda=options.device == "cuda"
    )
    seed_all(options.seed)
    voice.save_wav(voice.voice_conversion(source_wav=options.source, target_wav=options.reference), options.out)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name in ("speech", "conversion"):
        one = kinds.add_parser(name)
        one.add_argument("--model", required=True, type=Path)
        one.add_argument("--reference", required=True)
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
        one.add_argument("--out", required=True)
        if name == "speech":
            one.add_argument("--text-file", required=True)
            one.add_argument("--language", default="en")
        else:
            one.add_argument("--source", required=True)
            one.add_argument("--speaker-encoder", required=True)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run."""
    options = parse(arguments)
    Path(options.out).resolve().parent.mkdir(parents=True, exist_ok=True)
    try:
        (speech if options.kind == "speech" else conversion)(options)
    except ImportError as error:
        fail("env_missing", f"{error}: pip install coqui-tts torch torchaudio torchcodec")


if __name__ == "__main__":
    main()
