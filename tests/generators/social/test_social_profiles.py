"""Profiles as text: what is there, what is refused and how, and what an address depends on."""

from __future__ import annotations

from fractions import Fraction
from importlib.metadata import EntryPoint
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.errors import CmdfdError
from generators.social.graph import target_size
from generators.social.levels import LEVELS, Stream, is_legal, level_for
from generators.social.profile import BUILTIN, ProfileError, find_profile, load_profile, parse_profile
from generators.social.schema import Gop, Profile
from generators.social.transmit import resolve_chain

TEXT = (
    (files("generators.social.profiles") / "whatsapp.yaml").read_text("utf-8").replace("name: whatsapp", "name: mine")
)
#: Section 4 of the facts: long and short edge, profile, level, crf or kb/s, peak, key frames, B frames, sound.
FACTS = {
    "facebook_hd": (1280, 720, "main", "3.1", 23, 2300, 4600, (60, "frames"), 3, (64, 48000)),
    "facebook_sd": (640, 360, "main", "3.0", 23, 700, 1400, (2, "seconds"), 3, (48, 44100)),
    "messenger": (848, 480, "main", "3.1", 26, 1000, 2000, (2, "seconds"), 3, (64, 44100)),
    "instagram": (1280, 720, "high", "3.1", 23, 2900, 5800, (5, "seconds"), 3, (64, 44100)),
    "youtube_360": (640, 360, "main", "3.0", 24, 640, 1280, (5, "seconds"), 3, (128, 44100)),
    "youtube_720": (1280, 720, "high", "3.1", 23, 1400, 2800, (5, "seconds"), 3, (128, 44100)),
    "tiktok": (1024, 576, "high", "3.1", 25, 1450, 2900, (5, "seconds"), 3, (64, 44100)),
    "x_720": (1280, 720, "high", "3.1", 26, 830, 1660, (3, "seconds"), 2, (128, 44100)),
    "telegram": (1280, 720, "high", "auto", None, None, None, (1, "seconds"), 0, (128, 44100)),
    "signal": (848, 480, "baseline", "auto", None, None, None, (1, "seconds"), 0, (128, 44100)),
    "whatsapp": (848, 480, "main", "3.1", 26, 1000, 2000, (3, "seconds"), 0, (64, 44100)),
    "wechat_mobile": (960, 540, "main", "3.1", 27, 1200, 2400, (4, "seconds"), 0, (48, 44100)),
    "wechat_pc": (1280, 720, "high", "3.1", 25, 2000, 4000, (4, "seconds"), 3, (64, 44100)),
}


@pytest.mark.parametrize("name", BUILTIN)
def test_a_profile_is_its_row_of_the_facts(name):
    found = find_profile(name)
    video, (gop, unit) = found.video, FACTS[name][7]
    assert (found.size.long_edge, found.size.short_edge, video.profile, video.level) == FACTS[name][:4]
    assert (video.rate.crf, video.rate.maxrate, video.rate.bufsize) == FACTS[name][4:7]
    assert getattr(video.gop, unit) == gop and video.b_frames == FACTS[name][8]
    assert (found.audio.kbps, found.audio.sample_rate) == FACTS[name][9]
    assert found.fps.rule == ("resample" if name == "facebook_hd" else "cap") and found.fps.rate == 30
    told = " ".join(found.source.model_dump().values())
    assert ("inferred" in told) and (found.confidence != "low" or told.count("inferred") >= 4)


def test_bit_rates_of_the_messengers_follow_the_short_side():
    telegram = find_profile("telegram").video.rate
    sizes = {(1920, 1080): 6800, (1280, 720): 2600, (720, 1280): 2600, (854, 480): 1000, (640, 479): 750}
    assert {size: telegram.kbps_for(*size) for size in sizes} == sizes
    assert telegram.never_above_source and find_profile("signal").video.rate.kbps_for(848, 480) == 1250
    assert find_profile("whatsapp").video.rate.kbps_for(848, 480) is None


def test_declared_levels_are_legal_at_the_cap():
    for name in BUILTIN:
        profile = find_profile(name)
        size = profile.size.long_edge, profile.size.short_edge
        peak = profile.video.rate.maxrate or profile.video.rate.kbps_for(*size)
        stream = Stream(*size, Fraction(30), peak, 2 * peak, profile.video.profile)
        level = level_for(profile.video.level, stream)
        assert profile.video.level in {level, "auto"}, name


def test_levels_are_raised_where_size_or_rate_need_it():
    """Worked by hand from table A-1: 1280x720 has 3600 macroblocks, 108000 per second at 30 fps, the limit of 3.1."""
    hd = Stream(1280, 720, Fraction(30), 2000, 4000, "main")
    assert level_for("auto", hd) == "3.1" == level_for("3.1", hd) and level_for("4.0", hd) == "4.0"
    assert level_for("3.1", Stream(1280, 720, Fraction(60), 2000, 4000, "main")) == "3.2"
    assert level_for("3.0", Stream(848, 480, Fraction(30), 1000, 2000, "main")) == "3.1"  # 47700 > 40500 per second
    assert level_for("3.0", Stream(640, 360, Fraction(30), 700, 1400, "main")) == "3.0"
    assert level_for("auto", Stream(1920, 1080, Fraction(30), 5000, 10000, "main")) == "4.0"
    assert level_for("auto", Stream(320, 240, Fraction(30), 10500, 10500, "high")) == "3.0"  # by the bit rate alone
    with pytest.raises(ValueError, match=r"more than H\.264 has a level for"):
        level_for("auto", Stream(8192, 8192, Fraction(120), 1000, 1000, "high"))


@given(
    st.integers(16, 4096), st.integers(16, 4096), st.integers(1, 120), st.integers(100, 90000), st.sampled_from(LEVELS)
)
def test_a_level_is_the_lowest_legal_one(width, height, rate, kbps, nominal):
    stream = Stream(width, height, Fraction(rate), kbps, kbps, "main")
    try:
        name = level_for(nominal.name, stream)
    except ValueError:
        assert not any(is_legal(limit, stream) for limit in LEVELS if limit.idc >= nominal.idc)
        return
    chosen = next(limit for limit in LEVELS if limit.name == name)
    assert is_legal(chosen, stream) and chosen.idc >= nominal.idc
    assert not any(is_legal(limit, stream) for limit in LEVELS if nominal.idc <= limit.idc < chosen.idc)


@given(st.integers(64, 4000), st.integers(64, 4000), st.sampled_from(BUILTIN))
def test_sizes_stay_inside_the_caps_even_and_in_shape(width, height, name):
    profile = find_profile(name)
    found = target_size(profile, width, height)
    assert max(found) <= profile.size.long_edge and min(found) <= profile.size.short_edge
    assert found[0] <= width and found[1] <= height and not (found[0] % 2 or found[1] % 2)
    scale = min(1, profile.size.long_edge / max(width, height), profile.size.short_edge / min(width, height))
    assert abs(found[0] - width * scale) <= 2 and abs(found[1] - height * scale) <= 2


def test_known_sizes():
    whatsapp, hd = find_profile("whatsapp"), find_profile("facebook_hd")
    assert target_size(hd, 1920, 1080) == (1280, 720) and target_size(hd, 1080, 1920) == (720, 1280)
    assert target_size(hd, 1920, 1088) == (1270, 720) and target_size(hd, 640, 361) == (640, 360)
    assert target_size(whatsapp, 1080, 1080) == (480, 480) and target_size(whatsapp, 321, 243) == (320, 242)


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("  preset: veryfast", "  preset: veryfest", 12, "preset: unknown value 'veryfest': did you mean 'veryfast'"),
        ("  preset: veryfast", "  presett: veryfast", 12, "unknown key 'video.presett': did you mean 'preset'?"),
        ("maxrate: 1000, ", "", 13, "video.rate: crf needs maxrate and bufsize"),
        ("crf: 26", "crf: 99", 13, "less than or equal to 51, got 99"),
        ("  b_frames: 0", "  b_frames: -1", 15, "greater than or equal to 0, got -1"),
        ("  profile: main", "  profile: baseline\n  x264: {stats: /etc/passwd}", 11, "unknown key 'video.x264.stats'"),
        ("  profile: main", "  x264: {me: 'hex:qpfile=x'}\n  profile: main", 10, "video.x264.me: unknown value"),
        ("long_edge: 848", "long_edge: 480, short_edgee: 1", 7, "did you mean 'short_edge'?"),
        ("gop: {seconds: 3", "gop: {seconds: 3, frames: 9", 14, "give either frames or seconds"),
        ("confidence: low", "confidence: quite", 6, "known: high, low, medium"),
        ("sample_rate: 44100", "sample_rate: 44000", 16, "did you mean 44100?"),
        ("schema_version: 1", "schema_version: 2", 3, "unknown value 2: did you mean 1?"),
        ("  size: \"inferred", "  sice: \"inferred", 18, "did you mean 'size'?"),
        ("rate: 30", "rate: .nan", 8, "finite"),
        ("name: mine", "name: ../mine", 4, "should match pattern"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_file_line_and_the_right_word(tmp_path, old, new, line, told):
    assert old in TEXT
    path = tmp_path / "mine.yaml"
    path.write_text("# a comment\n" + TEXT.replace(old, new, 1), "utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    lines = [each for each in str(caught.value).splitlines() if told in each]
    assert lines and lines[0].startswith(f"{path}:{line}:"), str(caught.value)


BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "more than 500000 values"),
        ("x: &x {y: *x}", "not YAML|nested too deeply|missing"),
        ("- 1", "a profile is a mapping"),
        ("a: [", "mine.yaml:[12]: not YAML"),
        ("name: a\nname: b", "not YAML"),
        ("[" * 400, "nested too deeply|not YAML"),
        ("!!python/object/apply:os.system ['true']", "a profile is a mapping"),
        ("a" * 70000, "at most 65536 bytes"),
    ],
)
def test_hostile_yaml_is_refused(tmp_path, text, told):
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ProfileError, match=told):
        load_profile(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="UTF-8"):
        load_profile(path)
    with pytest.raises(ProfileError, match="no such profile file"):
        load_profile(tmp_path)


def test_chains_are_read_in_order_and_wrong_words_get_the_right_one(tmp_path):
    chain = resolve_chain("whatsapp+facebook_sd")
    assert chain.name == "whatsapp+facebook_sd" and [each.name for each in chain.profiles] == [
        "whatsapp",
        "facebook_sd",
    ]
    assert chain.address != resolve_chain("facebook_sd+whatsapp").address
    with pytest.raises(ProfileError, match="did you mean 'whatsapp'"):
        resolve_chain("facebook_sd+whatsap")
    for text in ("", "+", "whatsapp+", "whatsapp++tiktok"):
        with pytest.raises(ProfileError, match="empty part"):
            resolve_chain(text)
    with pytest.raises(ProfileError, match="8 are the most"):
        resolve_chain("+".join(["whatsapp"] * 9))
    own = tmp_path / "a+b.yaml"
    own.write_text(TEXT, "utf-8")
    assert resolve_chain(str(own)).name == "mine"
    plain = tmp_path / "b.yml"
    plain.write_text(TEXT, "utf-8")
    assert resolve_chain(f"{plain}+tiktok").name == "mine+tiktok"


def test_an_address_follows_every_cell_and_no_text():
    mine = parse_profile(TEXT, "x")
    same = TEXT.replace("confidence: low", "confidence: high").replace("summary: WhatsApp", "summary: another")
    assert parse_profile(same.replace("inferred: 2 to 5 s", "inferred: something"), "x").address == mine.address
    for old, new in (("crf: 26", "crf: 27"), ("rate: 30", "rate: 25"), ("mono: keep", "mono: stereo")):
        assert parse_profile(TEXT.replace(old, new), "x").address != mine.address


def test_nobody_takes_the_name_of_a_built_in_profile(tmp_path):
    path = tmp_path / "whatsapp.yaml"
    path.write_text(TEXT.replace("name: mine", "name: whatsapp").replace("crf: 26", "crf: 20"), "utf-8")
    with pytest.raises(ProfileError, match="that of a built-in profile"):
        resolve_chain(str(path))


def test_plug_ins_give_a_file_or_a_profile(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT, "utf-8")
    (tmp_path / "social_plugin.py").write_text(
        f"from pathlib import Path\nfrom generators.social.profile import load_profile\n"
        f"MINE = Path({str(path)!r})\nREAD = load_profile(MINE)\nBAD = 3\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(word.lower(), f"social_plugin:{word}", "cmdfd.profiles") for word in ("MINE", "READ", "BAD")]
    monkeypatch.setattr("cmdfd.registry.entry_points", lambda group: points if group == "cmdfd.profiles" else [])
    assert isinstance(find_profile("mine"), Profile) and find_profile("read").name == "mine"
    with pytest.raises(CmdfdError, match="names a int"):
        find_profile("bad")
    with pytest.raises(ProfileError, match="did you mean 'mine'"):
        find_profile("mime")


def test_key_frame_distances_in_seconds_follow_the_rate():
    assert Gop(seconds=2, scenecut=False).at(Fraction(30000, 1001)) == 60
    assert Gop(seconds=1, scenecut=False).at(Fraction(22131, 1000)) == 22
    assert Gop(frames=60, scenecut=False).at(Fraction(15)) == 60
    with pytest.raises(ValueError, match="at most frames / 2"):
        Gop(frames=10, keyint_min=8, scenecut=True)


def test_every_file_of_the_folder_is_listed():
    there = {Path(str(entry)).stem for entry in files("generators.social.profiles").iterdir() if ".yaml" in str(entry)}
    assert there == set(BUILTIN)
