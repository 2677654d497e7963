"""Convert a voice with kNN-VC from a local checkout and local weights.

The repository is made for torch.hub, which downloads code and weights. This script runs in the root of a checkout,
calls the same entry point, and reads the weights from files. The result keeps the clock of its source.
"""

from __future__ import annotations

import argparse
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
    parser.add_argument("--wavlm", required=True, type=Path)
    parser.add_argument("--vocoder", required=True, type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--topk", type=int, default=4)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", required=True)
    return parser.parse_args(arguments)


def local_weights(torch: Any, files: dict[str, Path]) -> None:
    """Let torch.hub read weights from files instead of addresses that end in the same names."""

    def load(url: str, map_location: Any = None, **_: Any) -> Any:
        name = str(url).rsplit("/", 1)[-1]
        path = files["vocoder" if "g_0" in name else "wavlm"]
        # the release's files hold plain dictionaries of settings beside the tensors
        return torch.load(str(path), map_location=map_location, weights_only=False)

    torch.hub.load_state_dict_from_url = load


class Converted(NamedTuple):
    """Samples, a tensor [N], and their rate."""

    samples: Any
    rate: int


def convert(options: argparse.Namespace) -> Converted:
    """Match every frame of the source with frames of the reference."""
    local_weights(import_module("torch"), {"vocoder": options.vocoder, "wavlm": options.wavlm})
    prematched = options.vocoder.name.startswith("prematch")
    model = import_module("hubconf").knn_vc(
        pretrained=True, progress=False, prematched=prematched, device=options.device
    )
    query = model.get_features(options.source)
    pool = model.get_matching_set([options.reference])
    if len(pool) < options.topk:
        fail("audio_invalid", f"the reference has {len(pool)} frames of speech, topk is {options.topk}")
    return Converted(model.match(query, pool, topk=options.topk), model.sr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run."""
    options = parse(arguments)
    for name in ("wavlm", "vocoder"):
        if not getattr(options, name).is_file():
            fail("weights_missing", f"{getattr(options, name)} ({name}) is not there")
    sys.path.insert(0, str(Path.cwd()))
    try:
        soundfile = import_module("soundfile")
        made = convert(options)
    except ImportError as error:
        fail("env_missing", f"{error} (torchaudio from 2.9 on lacks sox_effects)")
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(out), made.samples.cpu().numpy(), made.rate)


if __name__ == "__main__":
    main()
