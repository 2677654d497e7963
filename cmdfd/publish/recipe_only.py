"""A set without its media: whoever has its sources, or needs none, builds the same clips again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from cmdfd.publish.scrub import PLACE, clean_record
from cmdfd.report.text import clean
from cmdfd.tables import PROVENANCE, read_table
from cmdfd.takedown.tombstones import TOMBSTONES, read_tombstones

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.dataset import BuildFile, Dataset
    from cmdfd.publish.scrub import Private

RECIPE_FILE, HOW_TO_FILE = "recipe.yaml", "REBUILD.md"
#: Steps of a repair after the build (`cmdfd.audit.repair.recipe.REPAIR_FILE`): no part of what builds a set.
REPAIR_FILE, _REPAIR = "repair.yaml", "repair"
#: Folders that the text builds into.
_BUILT, _REPAIRED = "BUILT", "REPAIRED"


def write_recipe(dataset: Dataset, clips: Sequence[Clip], folder: Path, private: Private) -> None:
    """Write the recipe, and a text that says how to build and compare.

    Where a split is withheld the recipe stays at home, since it builds that split again; the text says so. The steps
    of a repair are a file of their own, since they are done on what the recipe builds.

    Args:
        dataset: The set at home.
        clips: Clips as they go public.
        folder: Where the copy is made.
        private: What must not be read in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {} if dataset.build.withheld else clean_record(dataset.build.recipe, private)
    repair = recipe.pop(_REPAIR, None)
    for name, record in ((RECIPE_FILE, recipe), (REPAIR_FILE, repair)):
        if record:
            # JSON is YAML
            text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
            (folder / name).write_text(text + "\n", "utf-8")
    text = "\n".join(_lines(dataset, clips, recipe, repaired=bool(repair), reasons=_overrides(dataset, private)))
    (folder / HOW_TO_FILE).write_text(text + "\n", "utf-8")


def built_folder(build: BuildFile) -> str:
    """The folder that the text builds this set into.

    Args:
        build: `build.json` of the set.
    """
    return _REPAIRED if build.recipe.get(_REPAIR) else _BUILT


def _overrides(dataset: Dataset, private: Private) -> list[str]:
    """Reasons of `--override-rights`, without which the same fakes would be refused."""
    path = dataset.folder / PROVENANCE
    if not path.is_file():
        return []
    found = {str(row.get("rights_override") or "") for row in read_table(path)}
    return sorted(private.clean(clean(reason)) for reason in found if reason)


def _lines(
    dataset: Dataset, clips: Sequence[Clip], recipe: dict[str, Any], *, repaired: bool, reasons: Sequence[str]
) -> list[str]:
    lines = [
        f"# {clean(dataset.name)}: tables without media",
        "",
        f"{len(clips)} clips are described here, none is contained. `metadata.parquet` of every split has the",
        "SHA-256 of each clip; `provenance.parquet` has, for each, its recordings (`parents`: role, key, SHA-256",
        "of the normalised take, start and end in seconds), what was done in order (`operations`, `params`, `seed`),",
        "and edit lists (`details`). Read the tables by `datasets.load_dataset('parquet', data_files=...)` or pandas.",
        "",
    ]
    if dataset.build.withheld:
        splits = ", ".join(dataset.build.withheld)
        return [
            *lines,
            f"The labels of {splits} are withheld. The recipe would build them again, so it is not here, and neither",
            "are seeds: the clips cannot be built again from this copy. Ask the publisher.",
        ]
    steps = [*_sources(recipe), *_commands(dataset, repaired=repaired, reasons=reasons)]
    if read_tombstones(dataset.folder):
        steps.append(f"Clips that `{TOMBSTONES}` names were withdrawn. The recipe makes them again: delete those.")
    steps.append("Compare the hashes; equal ones mean equal bytes:")
    versions = ", ".join(f"{name} {number}" for name, number in sorted(dataset.build.versions.items()))
    return [
        *lines,
        "## Build it again",
        "",
        *(f"{number}. {step}" for number, step in enumerate(steps, 1)),
        "",
        *_comparison(built_folder(dataset.build)),
        "",
        f"Bytes are equal only with the same versions: {clean(versions)}.",
    ]


def _sources(recipe: dict[str, Any]) -> list[str]:
    """What must be there before the build."""
    source = recipe.get("source")
    if isinstance(source, dict) and source.get("kind") == "talkers":
        return ["No recordings are needed: every face and voice is made by the recipe."]
    found = ["Get the recordings from where their owners offer them, under the licences in `metadata.parquet`."]
    if PLACE in json.dumps(recipe):
        found.append(f"In `{RECIPE_FILE}` put your own folder wherever it says `{PLACE}`.")
    return found


def _commands(dataset: Dataset, *, repaired: bool, reasons: Sequence[str]) -> list[str]:
    """The commands that make exactly this set; the recipe holds seed and length, but no limit and no override."""
    words = ["python", "-m", "generators.build", RECIPE_FILE, "--out", _BUILT]
    if dataset.build.limit is not None:
        words += ["--limit", str(dataset.build.limit)]
    if reasons:
        words += ["--override-rights", "; ".join(reasons)]
    found = [f"`{shlex.join(words)}`"]
    if repaired:
        command = shlex.join(["python", "-m", "cmdfd.audit", _BUILT, "--recipe", REPAIR_FILE, "--fix", _REPAIRED])
        found.append(f"`{command}`, since the set was repaired after it was built")
    return found


def _comparison(folder: str) -> list[str]:
    return [
        "```python",
        "import pandas as pd",
        "from pathlib import Path",
        "",
        "for table in sorted(Path('.').glob('*/metadata.parquet')):",
        f"    here, built = pd.read_parquet(table), pd.read_parquet(Path('{folder}') / table)",
        "    both = here.merge(built, on='id', suffixes=('', '_built'))",
        "    equal = (both.sha256 == both.sha256_built).sum()",
        "    print(table.parent, equal, 'of', len(here), 'clips are equal;', len(built) - len(both), 'more are built')",
        "```",
    ]
