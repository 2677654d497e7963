"""One file through a platform: `python -m generators.social FILE --profile whatsapp`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.social.chain import Chain

#: Characters of a file's name in an error.
_SHOWN = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0 sent, 1 sent but not as the profile says, 2 a mistake or a bad file."""
    named = _parser().parse_args(arguments)
    try:
        if named.list:
            return _list()
        if named.show is not None:
            return _show(named.show)
        if named.file is None or named.profile is None:
            raise CmdfdError("name a FILE and a --profile, for example: clip.mp4 --profile whatsapp; --list shows all")
        return _send(named)
    except (CmdfdError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generators.social",
        description="Send a video through the emulation of a social platform, or of several one after the other. The "
        "profiles are ours: --show tells which of their numbers were measured and which are guesses.",
        epilog="Exit codes: 0 sent, 1 sent but the file does not meet its profile, 2 could not be sent.",
    )
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="video with or without sound; write ./-x for a leading dash")
    add("--profile", metavar="NAME", help='profile, YAML file, or several joined by "+": whatsapp+facebook_sd')
    add("--mask", type=Path, metavar="FILE", help="its mask: grey, of the displayed size, one frame for each frame")
    add("--out", type=Path, metavar="FILE", help="where to write (default: beside FILE, as NAME__PROFILE.mp4)")
    add("--overwrite", action="store_true", help="replace what is there")
    add("--list", action="store_true", help="list all profiles")
    add("--show", metavar="NAME", help="what a profile does, with the source of every number")
    return parser


def _list() -> int:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from generators.social.profile import PROFILES, find_profile

    table = Table(title="social platforms", title_justify="left")
    table.add_column("profile", no_wrap=True)
    for name in ("what it is", "picture", "coding", "confidence"):
        table.add_column(name)
    for name in PROFILES.names():
        profile = find_profile(name)
        size, fps, video = profile.size, profile.fps, profile.video
        rate = "a bit rate by size" if video.rate.crf is None else f"crf {video.rate.crf:g} <= {video.rate.maxrate}k"
        picture = f"{size.long_edge}x{size.short_edge} {'at' if fps.rule == 'resample' else '<='} {fps.rate:g}"
        coding = f"{video.profile} {video.level}, {rate}; sound {profile.audio.kbps}k"
        table.add_row(*(escape(cell) for cell in (name, profile.summary, picture, coding, profile.confidence)))
    Console().print(table)
    sys.stdout.write("Emulations, not claims of identity: --show NAME says what was measured and what is a guess.\n")
    return 0


def _show(name: str) -> int:
    """Print a profile as YAML, ready to be copied and changed."""
    from ruamel.yaml import YAML

    from generators.social.profile import find_profile

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 110
    writer.dump(find_profile(name).model_dump(mode="json", exclude_unset=True), sys.stdout)
    return 0


def _send(named: argparse.Namespace) -> int:
    from generators.social.transmit import resolve_chain, transmit

    chain = resolve_chain(named.profile)
    out = named.out or named.file.with_name(f"{named.file.stem}__{chain.name}.mp4")
    mask_out = None if named.mask is None else out.with_name(f"{out.stem}.mask.mkv")
    for path in (out, mask_out):
        if path is not None:
            _check_free(path, overwrite=named.overwrite)
    result = transmit(chain, named.file, out, mask=named.mask, mask_out=mask_out)
    found = [text for step in result.details["steps"] for text in step["deviations"]]
    _tell(chain, named.file, out, mask_out, found)
    return int(bool(found))


def _check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file, and a name that no file can have.

    Raises:
        CmdfdError: Naming the fix.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:  # the name of the profile may make it longer than a name can be
        name = path.name if len(path.name) <= _SHOWN else f"{path.name[:_SHOWN]}..."
        raise CmdfdError(f"{name!r} cannot be written: {error.strerror}; name another file with --out") from error
    if not overwrite:
        raise CmdfdError(f"{path}: is there already; name another file with --out, or replace it with --overwrite")


def _tell(chain: Chain, source: Path, out: Path, mask: Path | None, found: Sequence[str]) -> None:
    """What went in, what came out, and in what it does not meet the profile."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from generators.social.facts import facts_of

    before, after = facts_of(source), facts_of(out)
    table = Table(title=escape(f"{source.name} through {chain.name}"), title_justify="left")
    for name in ("", "in", "out"):
        table.add_column(name)
    for field, value in before.items():
        table.add_row(field, escape(value), escape(after[field]))
    console = Console()
    console.print(table)
    lowest = min((profile.confidence for profile in chain.profiles), key=("low", "medium", "high").index)
    console.print(f"confidence of the emulation: {lowest}", highlight=False, markup=False)
    console.print(f"deviations from the profile: {len(found) or 'none'}", highlight=False, markup=False)
    for text in found:
        console.print(f"  {text}", highlight=False, markup=False)
    for path in (out, mask):
        if path is not None:
            console.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
