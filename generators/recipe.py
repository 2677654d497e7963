"""Recipes: what a data set shall hold, as a YAML file that is checked before anything is made."""

from __future__ import annotations

import math
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from cmdfd.clip import REAL_KIND, SPLITS, content_id
from cmdfd.errors import CmdfdError, nearest
from cmdfd.splits import DEFAULT_FRACTIONS
from generators.recipe_scenes import Part, ScenesRecipe, SocialRecipe
from generators.yaml_text import line_of, plain, tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from cmdfd.media.harmonise import HarmoniseSettings

#: 2: `driver`, `labels` and `shams` of a kind, and `real`. 3: `scenes`, `social`, `kinds_per_take`, and `on` and
#: `panels` of a kind. Recipes of earlier versions mean the same as ever.
SCHEMA_VERSION = 3
#: Seeds are below this: what the column `seed` of provenance holds (int64), and more than anybody tries one by one.
SEED_LIMIT = 2**63
#: A recipe is a page of text; more is a mistake or an attack (anchors that grow without end).
_MAX_BYTES = 1 << 20
Split = Literal["train", "validation", "test"]
#: Who drives or lends: the take itself, the fixed partner, or another take of the same person (else a partner).
Driver = Literal["self", "cross", "other"]
LabelName = Literal["audio_label", "video_label", "sync_mismatch", "identity_mismatch"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class RecipeError(CmdfdError):
    """A recipe that cannot be read; the text names file, line and field."""


class SourceRecipe(Part):
    """Where pristine takes come from.

    Args:
        kind: "talkers", "folder", a plug-in's name, "pkg.mod:Class" or "path/to/file.py:Class".
        options: The one argument of the source.
    """

    kind: str = "talkers"
    options: dict[str, Any] = Field(default_factory=dict)


class KindRecipe(Part):
    """One kind of fake.

    Args:
        kind: Name in tables and results, e.g. "audio/swap-partial".
        generator: The generator that makes it; the kind's name if None.
        params: The generator's parameters.
        driver: Where sound, movement or face come from: "self" (the take itself), "cross" (a fixed partner; partners
            are neighbours and drive each other, the same pairs for every kind), or "other" (another take of the
            same person, or a partner where there is none).
        labels: Labels that replace what the generator says, where a convention differs; null is unknown.
        per_take: How many are made of every take.
        shams: Reals that are made of every take by the same steps without forging (null edits of an "edit"), 0 for
            none. Their kind is "real"; their variant tells the kind.
        on: In a recipe with scenes, what the generator works on: the take that becomes a panel, or the whole composed
            picture.
        panels: How many panels of a scene are forged: the take's, and those of others beside it.
    """

    kind: str = Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,63}$")
    generator: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    driver: Driver = "other"
    labels: dict[LabelName, Literal[0, 1] | None] = Field(default_factory=dict)
    per_take: int = Field(default=1, ge=1, le=100)
    shams: int = Field(default=0, ge=0, le=100)
    on: Literal["panel", "scene"] = "panel"
    panels: int = Field(default=1, ge=1, le=9)

    @property
    def made_by(self) -> str:
        """Name of the generator."""
        return self.generator or self.kind


class HarmoniseRecipe(Part):
    """Settings of the stage that real and fake clips pass alike; see `cmdfd.media.harmonise.HarmoniseSettings`."""

    fps: float = Field(default=25.0, gt=0, le=120)
    width: int = Field(default=224, ge=32, le=4096, multiple_of=2)
    height: int = Field(default=224, ge=32, le=4096, multiple_of=2)
    sample_rate: int = Field(default=16000, ge=8000, le=192000)
    seconds: float = Field(default=3.0, gt=0, le=600)
    lufs: float = Field(default=-23.0, ge=-60, le=-5)
    crf: tuple[int, int] = (23, 29)
    preset: str = "veryfast"
    gop: int = Field(default=25, ge=1)
    audio_bit_rate: int = Field(default=64000, ge=8000)
    container: Literal["mp4", "mov"] = "mp4"

    @field_validator("crf")
    @classmethod
    def _crf_range(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= value[0] <= value[1] <= 51:
            raise ValueError(f"crf must be a range inside 0 ... 51, lowest first, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _whole_frames(self) -> Self:
        if abs(self.seconds * self.fps - round(self.seconds * self.fps)) > 1e-6:
            raise ValueError(f"{self.seconds:g} s are not a whole number of frames at {self.fps:g} fps")
        return self

    def settings(self) -> HarmoniseSettings:
        """The same as the record that `cmdfd.media` takes."""
        from cmdfd.media.harmonise import HarmoniseSettings

        return HarmoniseSettings(**self.model_dump())


class RealRecipe(Part):
    """The real clips.

    Args:
        through: Generators whose sham the real clips pass, each equally often, so that they have as many generations
            of coding behind them as the fakes; empty for none, which is right for generators in memory.
    """

    through: list[str] = Field(default_factory=list)


class AuditRecipe(Part):
    """The audit gate after the build."""

    gate: bool = True
    draws: int = Field(default=999, ge=99, le=100_000)


class Recipe(Part):
    """A data set, as it shall be.

    Args:
        schema_version: Version of this format.
        name: Name of the set.
        summary: One line for lists.
        seed: The only source of chance, below 2**63. With a withheld split it is a secret, so draw it at random.
        source: Where takes come from.
        splits: What the source shall deliver for each split (the source knows the keys).
        fractions: Shares of clips, where the source leaves the splits open.
        kinds: The fakes.
        kinds_per_take: How many of the kinds each take gets, in turn, so that all are equally frequent; None for all.
        real: The real clips.
        harmonise: The common stage; with scenes, the layout gives the picture's size.
        scenes: Scenes of several people, or None for single pictures.
        social: The platforms that the finished clips are sent through.
        audit: The gate.
        withheld: Splits whose labels stay at home.
    """

    schema_version: Literal[1, 2, 3]
    name: Name
    summary: str = ""
    seed: int = Field(default=0, ge=0, lt=SEED_LIMIT)
    source: SourceRecipe = SourceRecipe()
    splits: dict[Split, dict[str, Any]] = Field(default_factory=dict)
    fractions: dict[Split, float] = Field(default_factory=lambda: dict(DEFAULT_FRACTIONS))  # type: ignore[arg-type]
    kinds: list[KindRecipe] = Field(min_length=1)
    kinds_per_take: int | None = Field(default=None, ge=1)
    real: RealRecipe = RealRecipe()
    harmonise: HarmoniseRecipe = HarmoniseRecipe()
    scenes: ScenesRecipe | None = None
    social: SocialRecipe = SocialRecipe()
    audit: AuditRecipe = AuditRecipe()
    withheld: list[Split] = Field(default_factory=list)

    @field_validator("fractions")
    @classmethod
    def _positive(cls, value: dict[Split, float]) -> dict[Split, float]:
        if not value or not all(math.isfinite(share) and share > 0 for share in value.values()):
            raise ValueError(f"fractions must be positive numbers, got {value}")
        return {split: value[split] for split in SPLITS if split in value}

    @field_validator("kinds")
    @classmethod
    def _distinct(cls, value: list[KindRecipe]) -> list[KindRecipe]:
        names = [one.kind for one in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or REAL_KIND in names:
            raise ValueError(f"kind names must be distinct and not {REAL_KIND!r}: {', '.join(twice or [REAL_KIND])}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        new = {"scenes": self.scenes, "social": self.social.chains, "kinds_per_take": self.kinds_per_take}
        asked = [name for name, value in new.items() if value]
        if asked and self.schema_version < 3:
            raise ValueError(f"{asked[0]!r} is of version 3: write `schema_version: 3`")
        if self.kinds_per_take is not None and self.kinds_per_take > len(self.kinds):
            raise ValueError(f"kinds_per_take is {self.kinds_per_take}, but there are {len(self.kinds)} kinds")
        if self.scenes is None:
            several = [kind.kind for kind in self.kinds if kind.on == "scene" or kind.panels > 1]
            if several:
                raise ValueError(f"kind {several[0]!r} asks for a scene or several panels: add a `scenes` block")
        both = [kind.kind for kind in self.kinds if kind.on == "scene" and kind.panels > 1]
        if both:
            raise ValueError(f"kind {both[0]!r}: `panels` is for kinds that work on panels, not on the scene")
        return self

    @property
    def hash(self) -> str:
        """Content address of what the recipe says; its summary and audit settings do not count."""
        return content_id("recipe", self.model_dump(mode="json", exclude={"summary", "audit"}), length=32)


def builtin_recipes() -> dict[str, str]:
    """Recipes that come with the package: name to summary."""
    found = {}
    for entry in sorted(files("generators.recipes").iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml"):
            recipe = parse_recipe(entry.read_text("utf-8"), entry.name)
            found[recipe.name] = recipe.summary
    return found


def load_recipe(named: str | Path) -> Recipe:
    """Read a recipe, and try the names in it.

    Args:
        named: Name of a built-in recipe, or a YAML file.

    Raises:
        RecipeError: If there is none, it breaks the schema, or names what is not there; the text names the line and the
            nearest right word.
    """
    from generators.recipe_check import check_names

    text, where = _text_of(named)
    recipe = parse_recipe(text, where)
    if where == str(Path(named)):
        recipe = _beside(recipe, Path(named))
    check_names(recipe, tree_of(text, where, RecipeError), where)
    return recipe


def _beside(recipe: Recipe, path: Path) -> Recipe:
    """Profiles of platforms that are named as files are sought beside the recipe, too."""

    def found(word: str) -> str:
        own = path.parent / word
        if not word.endswith((".yaml", ".yml")) or Path(word).is_file() or not own.is_file():
            return word
        return os.path.relpath(own)

    chains = ["+".join(found(word) for word in chain.split("+")) for chain in recipe.social.chains]
    return recipe.model_copy(update={"social": SocialRecipe(chains=chains)})


def _text_of(named: str | Path) -> tuple[str, str]:
    """Text of a recipe, and what to call it in errors."""
    path = Path(named)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise RecipeError(f"{path}: there is no such recipe file")
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"{path}: a recipe has at most {_MAX_BYTES} bytes")
        try:
            return path.read_text("utf-8"), str(path)
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path}: not UTF-8 text: {error}") from error
    entry = files("generators.recipes") / f"{named}.yaml"
    if "/" in str(named) or "\\" in str(named) or not entry.is_file():
        raise RecipeError(f"unknown recipe {str(named)!r}: {nearest(str(named), builtin_recipes())}; or name a file")
    return entry.read_text("utf-8"), entry.name


def parse_recipe(text: str, where: str) -> Recipe:
    """Read a recipe from text.

    Args:
        text: YAML.
        where: Name of the file, for errors.

    Raises:
        RecipeError: Naming line and field of up to five mistakes.
    """
    tree = tree_of(text, where, RecipeError)
    if not isinstance(tree, dict):
        raise RecipeError(f"{where}: a recipe is a mapping with the keys {', '.join(Recipe.model_fields)}")
    try:
        return Recipe.model_validate(plain(tree))
    except ValidationError as error:
        lines = [f"{where}:{line_of(tree, one['loc'])}: {_explain(one)}" for one in error.errors()[:5]]
        raise RecipeError("\n".join(lines)) from error


def _explain(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"unknown key {place!r}: {nearest(str(error['loc'][-1]), _fields(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"the key {place!r} is missing"
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']+)'", str(error.get("ctx", {}).get("expected", "")))
        what = "unknown key" if error["loc"][-1:] == ("[key]",) else "unknown value"
        if allowed:
            return f"{place}: {what} {error['input']!r}: {nearest(str(error['input']), allowed)}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _fields(place: Sequence[Any]) -> list[str]:
    parts: dict[str, type[BaseModel]] = {
        "source": SourceRecipe, "kinds": KindRecipe, "harmonise": HarmoniseRecipe, "audit": AuditRecipe,
        "real": RealRecipe, "scenes": ScenesRecipe, "social": SocialRecipe,
    }  # fmt: skip
    return list((parts.get(str(place[0]), Recipe) if place else Recipe).model_fields)
