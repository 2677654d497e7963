from __future__ import annotations

from pathlib import Path

import pytest

from cmdfd.errors import CmdfdError
from generators.plan import make_plan
from generators.recipe import RecipeError, builtin_recipes, load_recipe, parse_recipe
from generators.registry import resolve_params
from generators.resolve import resolve_recipe

GOOD = """\
schema_version: 1
name: mine
seed: 4
splits:
  test: {identities: 2, clips: 2}
kinds:
  - kind: audio/swap
  - kind: mine/partial
    generator: audio/swap
    params: {span: [0.8, 1.2]}
harmonise:
  crf: [20, 22]
"""


def test_a_recipe_is_read_and_checked() -> None:
    recipe = parse_recipe(GOOD, "mine.yaml")
    assert recipe.kinds[1].made_by == "audio/swap" and recipe.kinds[0].made_by == "audio/swap"
    assert recipe.harmonise.crf == (20, 22) and recipe.harmonise.settings().crf == (20, 22)
    assert recipe.fractions == {"train": 0.5, "validation": 0.2, "test": 0.3}
    assert type(recipe.kinds[1].params["span"][0]) is float  # no YAML classes inside


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 4", "sede: 4", r"mine.yaml:3: unknown key 'sede': did you mean 'seed'\?"),
        (
            "    generator: audio/swap",
            "    generater: audio/swap",
            r"mine.yaml:9: unknown key 'kinds.1.generater': did",
        ),
        ("  crf: [20, 22]", "  crf: [22, 20]", r"mine.yaml:12: harmonise.crf: crf must be a range"),
        ("  crf: [20, 22]", "  seconds: 3.01", r"mine.yaml:11: harmonise: 3.01 s are not a whole number of frames"),
        ("name: mine", "name: ../mine", "mine.yaml:2: name: String should match"),
        ("  - kind: mine/partial", "  - kind: audio/swap", r"mine.yaml:6: kinds: kind names must be distinct"),
        ("  - kind: mine/partial", "  - kind: real", r"mine.yaml:6: kinds: .*not 'real'"),
        ("kinds:", "kinds: 3\nother:", "mine.yaml:6: kinds: Input should be a valid list"),
        ("schema_version: 1", "schema_version: 4", "mine.yaml:1: schema_version: Input should be 1, 2 or 3"),
        ("schema_version: 1\n", "", "the key 'schema_version' is missing"),
        ("  test:", "  tset:", "mine.yaml:5: splits.tset: unknown key 'tset': did you mean 'test'"),
        ("seed: 4", "seed: [4", r"mine.yaml:\d+: not YAML"),
        ("seed: 4", "seed: 4\nseed: 5", r"mine.yaml:\d+: not YAML"),
    ],
)
def test_mistakes_are_told_with_their_line(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError, match=said):
        parse_recipe(GOOD.replace(old, new, 1), "mine.yaml")


@pytest.mark.parametrize("text", ["", "- a\n", "3", "!!python/object/apply:os.system ['true']"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(text, "mine.yaml")


def test_names_and_files(tmp_path: Path) -> None:
    assert set(builtin_recipes()) >= {"mini-a", "mini-b"}
    assert load_recipe("mini-a").name == "mini-a"
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert load_recipe(path).name == "mine"
    with pytest.raises(RecipeError, match="no such recipe file"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match=r"did you mean 'mini-[ab]'\?"):
        load_recipe("mini-c")
    for wrong in ("../recipes/mini-a", "..\\mini-a"):
        with pytest.raises(RecipeError, match="unknown recipe"):
            load_recipe(wrong)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="not UTF-8"):
        load_recipe(path)
    path.write_text("a" * ((1 << 20) + 1))
    with pytest.raises(RecipeError, match="at most"):
        load_recipe(path)


def test_the_hash_covers_what_decides_the_clips() -> None:
    recipe = parse_recipe(GOOD, "mine.yaml")
    same = recipe.model_copy(update={"summary": "other words"})
    assert same.hash == recipe.hash == parse_recipe(GOOD, "x").hash
    for old, new in (("seed: 4", "seed: 5"), ("[20, 22]", "[20, 23]"), ("[0.8, 1.2]", "[0.8, 1.3]")):
        assert parse_recipe(GOOD.replace(old, new), "x").hash != recipe.hash


@pytest.mark.parametrize(
    ("name", "known"),
    [("mini-a", "84df31b1689d44ff44b6f9e538648d53"), ("mini-b", "d5a60ad3469cf1c3688d436164b0a0d7")],
)
def test_recipes_that_were_built_keep_their_hash(name: str, known: str) -> None:
    assert load_recipe(name).hash == known


def test_seeds_fill_the_column_of_provenance_and_no_more() -> None:
    big = GOOD.replace("seed: 4", f"seed: {2**63 - 1}")
    recipe = parse_recipe(big, "mine.yaml")
    assert recipe.seed == 2**63 - 1 and resolve_recipe("mini-a", seed=2**63 - 1).seed == 2**63 - 1
    assert recipe.hash != parse_recipe(GOOD.replace("seed: 4", f"seed: {2**63 - 1 - 2**40}"), "mine.yaml").hash
    with pytest.raises(RecipeError, match=r"mine.yaml:3: seed: Input should be less than 9223372036854775808"):
        parse_recipe(GOOD.replace("seed: 4", f"seed: {2**63}"), "mine.yaml")


def test_sources_replace_the_recipes_own(tmp_path: Path) -> None:
    changed = resolve_recipe("mini-a", sources=tmp_path, seed=9, identity_per_file=True)
    assert changed.seed == 9 and changed.splits == {} and changed.source.kind == "folder"
    assert changed.source.options["identity_per_file"] is True
    assert changed.source.options["min_seconds"] == changed.harmonise.seconds == 2.4
    assert resolve_recipe("mini-a").harmonise.seconds == 3.0
    assert resolve_recipe("mini-a", seconds=2.0).harmonise.seconds == 2.0
    with pytest.raises(CmdfdError, match="not a whole number of frames"):
        resolve_recipe("mini-a", seconds=2.01)
    with pytest.raises(CmdfdError, match="seed: "):
        resolve_recipe("mini-a", seed=-1)
    with pytest.raises(CmdfdError, match="no such folder"):
        resolve_recipe("mini-a", sources=tmp_path / "none")
    with pytest.raises(CmdfdError, match="needs --sources"):
        resolve_recipe("mini-a", identity_per_file=True)


def test_unknown_parameters_are_answered_with_the_nearest() -> None:
    with pytest.raises(CmdfdError, match=r"'audio/swap' has no parameter 'crosfade': did you mean 'crossfade'\?"):
        resolve_params("audio/swap", {"crosfade": 0.1})
    with pytest.raises(CmdfdError, match=r"unknown generator 'audio/swop': did you mean 'audio/swap'\?"):
        resolve_params("audio/swop", {})


def test_the_embedded_sets_are_as_promised() -> None:
    a, b = make_plan(load_recipe("mini-a")), make_plan(load_recipe("mini-b"))
    assert {split: kinds["real"] for split, kinds in a.counts().items()} == {"train": 72, "validation": 16, "test": 72}
    assert {split: kinds["real"] for split, kinds in b.counts().items()} == {"test": 72}
    shared = set(a.counts()["test"]) & set(b.counts()["test"])
    assert shared == {"real", "audio/swap", "audio/desync"}
    for plan in (a, b):
        people = {take.item.face_id for take in plan.takes if take.item.split == "test"}
        assert len(people) == 24
        assert {clip.donor.relation for take in plan.takes for clip in take.clips if clip.donor} == {"same"}
    voices = [{take.item.voice_id for take in plan.takes} for plan in (a, b)]
    assert not voices[0] & voices[1]


@pytest.mark.parametrize(
    "value",
    [
        "[" * 20_000,
        "\n  - &a {x: [1, 1, 1, 1, 1, 1, 1, 1]}\n"
        + "".join(
            f"  - &{b} {{x: [{', '.join(['*' + a] * 8)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "[{kind: audio/swap, per_take: " + "9" * 5000 + "}]",
    ],
    ids=["deep", "aliases that grow", "a number without end"],
)
def test_a_recipe_that_would_never_be_read(value: str) -> None:
    with pytest.raises(RecipeError, match=r"^mine\.yaml: "):
        parse_recipe(f"schema_version: 2\nname: mine\nkinds: {value}\n", "mine.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: audio/desync", "kind: audio/desnyc", r"mine.yaml:\d+: kinds.1.kind: .*did you mean 'audio/desync'"),
        ("generator: audio/swap", "generator: external/wav2lop", r"mine.yaml:\d+: .*did you mean 'wav2lip'"),
        ("span: ", "spam: ", r"mine.yaml:\d+: kinds.\d+.params.spam: .*did you mean 'span'"),
        ("kind: talkers", "kind: talker", r"mine.yaml:\d+: source.options: .*did you mean 'talkers'"),
        ("cast: b", "kast: b", r"mine.yaml:\d+: source.options: .*did you mean 'cast'"),
        ("difficulty: 0.7", "difficulty: 5", r"mine.yaml:\d+: source.options: .*difficulty.*less than or equal to 1"),
        ("  - kind: video/mouth_mute", "  - kind: video/mouth_mute\n    driver: cross", r"driver: .*not driven by"),
        ("  - kind: video/mouth_mute", "  - kind: video/mouth_mute\n    driver: corss", r"did you mean 'cross'"),
        ("  - kind: video/mouth_mute", "  - kind: video/mouth_mute\n    labels: {sync_mismach: 1}",
         r"did you mean 'sync_mismatch'"),
        ("audit: {gate: true}", "real: {through: [sahm]}", r"mine.yaml:\d+: real.through.0: .*did you mean 'sham'"),
    ],
)  # fmt: skip
def test_names_that_stand_for_nothing_are_told_with_their_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    from importlib.resources import files

    text = (files("generators.recipes") / "mini-b.yaml").read_text("utf-8")
    assert old in text
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError, match=said):
        load_recipe(mine)
