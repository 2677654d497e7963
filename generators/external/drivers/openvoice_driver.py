"""Convert a voice with OpenVoice v2, which has no program of its own. Its watermark stays on.

Runs in the root of the checkout.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence


def fail(code: str, text: str) -> NoReturn:
    """Say why, in a form that the spec's messages know, and end."""
    sys.stderr.write(f"cmdfd-driver: {code}: {text}\n")
    raise SystemExit(3)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--tau", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", required=True)
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> None:
    """Write the converted recording."""
    converter = import_module("openvoice.api").ToneColorConverter(str(options.config), device=options.device)
    if getattr(converter, "watermark_model", None) is None:
        fail("env_missing", "its watermark is off; this driver runs it as it comes, with the watermark on")
    converter.load_ckpt(str(options.model))
    source = converter.extract_se([options.source])
    target = converter.extract_se([options.reference])
    import_module("torch").manual_seed(options.seed)
    converter.convert(
        audio_src_path=options.source, src_se=source, tgt_se=target, output_path=options.out, tau=options.tau
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run."""
    options = parse(arguments)
    for name in ("config", "model"):
        if not getattr(options, name).is_file():
            fail("weights_missing", f"{getattr(options, name)} ({name}) is not there")
    sys.path.insert(0, str(Path.cwd()))
    Path(options.out).parent.mkdir(parents=True, exist_ok=True)
    try:
        convert(options)
    except ImportError as error:
        fail("env_missing", str(error))


if __name__ == "__main__":
    main()
