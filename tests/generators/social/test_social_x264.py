"""Options of x264 in profiles: x264 passes over what it does not take, so the profile must not."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from typing import Any

import pytest

from cmdfd.media.ffmpeg import find_ffmpeg
from generators.recipe import RecipeError, parse_recipe
from generators.social.profile import ProfileError, parse_profile
from generators.social.x264 import X264_OPTIONS

TEXT = (
    (files("generators.social.profiles") / "whatsapp.yaml")
    .read_text("utf-8")
    .replace("name: whatsapp", "name: mine")
    .replace("profile: main", "profile: high")
)
PLACE = TEXT.splitlines().index("  preset: veryfast") + 1
#: Both ends, or all words, of every option.
TAKEN: dict[str, list[Any]] = {
    "8x8dct": [0, True], "aq-mode": [0, 3], "aq-strength": [0, 1.5, 3], "b-adapt": [0, 2], "b-bias": [-100, 100],
    "b-pyramid": ["none", "strict", "normal"], "cabac": [False, 1], "chroma-qp-offset": [-12, 12],
    "deblock": [-6, 6, "-6,6", "1,-1"], "direct": ["none", "spatial", "temporal", "auto"], "ipratio": [0.1, 10],
    "me": ["dia", "hex", "umh", "esa", "tesa"], "merange": [4, 128], "mixed-refs": [0, 1], "nr": [0, 65536],
    "partitions": ["none", "all", "p8x8,b8x8,i8x8,i4x4"], "pbratio": [0.1, 10], "psy-rd": [0, 10, "1.0,0.15"],
    "qcomp": [0, 0.6, 1], "qpmax": [1, 51], "qpmin": [0, 51], "rc-lookahead": [0, 250], "ref": [1, 16],
    "subme": [0, 11], "trellis": [0, 2], "vbv-init": [0, 0.9, 1], "weightb": [0, 1], "weightp": [0, 2],
}  # fmt: skip


def with_option(name: str, value: str) -> str:
    return TEXT.replace("  preset: veryfast", f"  preset: veryfast\n  x264:\n    subme: 2\n    {name}: {value}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("me", "foo"), ("me", "'hex:qpfile=x'"), ("psy-rd", ".nan"), ("psy-rd", "'1,x'"), ("psy-rd", "11"),
        ("ref", "999999"), ("ref", "0"), ("ref", "'3'"), ("ref", "3.5"), ("ref", "true"), ("ref", "-" + "9" * 30),
        ("deblock", "xx"), ("deblock", "7"), ("deblock", "true"), ("deblock", "'1,2,3'"), ("8x8dct", "2"),
        ("cabac", "maybe"), ("aq-strength", ".inf"), ("aq-strength", "1e400"), ("partitions", "'p8x8,foo'"),
        ("partitions", "[all]"), ("trellis", "null"), ("weightp", "{}"), ("b-pyramid", "hierarchic"),
    ],
)  # fmt: skip
def test_what_x264_does_not_take_is_told_with_file_line_and_field(name: str, value: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(with_option(name, value), "mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml:{PLACE + 3}: video.x264.{name}: "), caught.value


def test_unknown_options_and_those_that_name_files_get_the_nearest_word() -> None:
    for name in ("stats", "qpfile", "cqmfile", "threads", "mbtree"):
        with pytest.raises(ProfileError, match=rf"mine.yaml:{PLACE + 3}: unknown key 'video.x264.{name}'"):
            parse_profile(with_option(name, "a"), "mine.yaml")
    with pytest.raises(ProfileError, match="did you mean 'merange'"):
        parse_profile(with_option("merangee", "16"), "mine.yaml")


def test_options_fit_each_other_and_the_profile() -> None:
    with pytest.raises(ProfileError, match="qpmin 30 is more than qpmax 20"):
        parse_profile(with_option("qpmin", "30\n    qpmax: 20"), "mine.yaml")
    for profile, name in (("main", "8x8dct"), ("baseline", "cabac"), ("baseline", "weightp")):
        text = with_option(name, "1").replace("profile: high", f"profile: {profile}")
        with pytest.raises(ProfileError, match=f"{name}: 1: the {profile} profile has none"):
            parse_profile(text, "mine.yaml")
        assert parse_profile(text.replace(f"{name}: 1", f"{name}: 0"), "mine.yaml").video.x264[name] == 0


def passed_over(options: dict[str, Any]) -> list[str]:
    """Options of which x264 says that it cannot read them."""
    text = ":".join(f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in options.items())
    command = [
        str(find_ffmpeg()), "-hide_banner", "-loglevel", "warning", "-f", "lavfi", "-i", "color=s=64x64:d=0.04",
        "-c:v", "libx264", "-x264-params", text, "-f", "null", "-",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return re.findall(r"Error parsing option '([\w-]+)", ran.stderr)


def test_x264_takes_all_that_a_profile_may_say() -> None:
    assert set(TAKEN) == set(X264_OPTIONS)
    assert passed_over({"me": "foo", "ref": "abc"}) == ["me", "ref"]  # that it would be seen
    for turn in range(max(map(len, TAKEN.values()))):
        options = {name: values[min(turn, len(values) - 1)] for name, values in TAKEN.items()}
        options["qpmin"] = min(options["qpmin"], options["qpmax"])
        lines = "".join(f"    {name}: {value!r}\n" for name, value in options.items())
        text = TEXT.replace("  preset: veryfast", f"  preset: veryfast\n  x264:\n{lines}")
        parsed = parse_profile(text.replace("True", "true").replace("False", "false"), "mine.yaml").video.x264
        assert parsed == options
        assert passed_over(parsed) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: mine", "name: original", "mine.yaml:3: name: 'original' is what clips before any platform are called"),
        ("rate: 30", "rate: true", "mine.yaml:7: fps.rate: must not be true or false"),
        ("b_frames: 0", "b_frames: false", "mine.yaml:14: video.b_frames: must not be true or false"),
        ("name: mine", "name: true", "mine.yaml:3: name: must not be true or false"),
    ],
)
def test_reserved_names_and_switches_for_numbers_are_refused(old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(ProfileError, match=re.escape(told)):
        parse_profile(TEXT.replace(old, new, 1), "mine.yaml")


def test_merged_keys_are_told_without_a_line_of_their_own() -> None:
    """A key that comes by `<<` has no position in the file."""
    with pytest.raises(ProfileError, match=r"^mine.yaml:\d+: unknown key 'a': known: "):
        parse_profile(f"{TEXT}\n<<: {{a: 1}}\n", "mine.yaml")
    merged = TEXT.replace("fps: {", "fps: {<<: {rate: 0}, ").replace(", rate: 30", "")
    with pytest.raises(ProfileError, match=r"mine.yaml:7: fps.rate: Input should be greater than or equal to 1"):
        parse_profile(merged, "mine.yaml")
    recipe = (files("generators.recipes") / "manualfake.yaml").read_text("utf-8")
    with pytest.raises(RecipeError, match=r"^mine.yaml:\d+: unknown key 'a': known: "):
        parse_recipe(f"{recipe}\n<<: {{a: 1}}\n", "mine.yaml")
    with pytest.raises(RecipeError, match=r"^mine.yaml:\d+: "):
        parse_recipe(f"{recipe}\n<<: [{{a: 1}}, {{kindss: 2}}]\n", "mine.yaml")
