"""A set without its media, for sources that may not be passed on: whoever has them builds the same clips again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cmdfd.publish.scrub import PLACE, clean_record
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset
    from cmdfd.publish.scrub import Private

RECIPE_FILE, HOW_TO_FILE = "recipe.yaml", "REBUILD.md"


def write_recipe(dataset: Dataset, clips: Sequence[Clip], folder: Path, private: Private) -> None:
    """Write the recipe, and a text that says how to build and compare.

    Where a split is withheld the recipe stays at home, since it builds that split again; the text says so.

    Args:
        dataset: The set at home.
        clips: Clips as they go public.
        folder: Where the copy is made.
        private: What must not be read in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not dataset.build.withheld:
        recipe = clean_record(dataset.build.recipe, private)
        # JSON is YAML
        text = json.dumps(recipe, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (folder / RECIPE_FILE).write_text(text + "\n", "utf-8")
    (folder / HOW_TO_FILE).write_text("\n".join(_lines(dataset, clips)) + "\n", "utf-8")


def _lines(dataset: Dataset, clips: Sequence[Clip]) -> list[str]:
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
    versions = ", ".join(f"{name} {number}" for name, number in sorted(dataset.build.versions.items()))
    return [
        *lines,
        "## Build it again",
        "",
        "1. Get the recordings from where their owners offer them, under the licences in `metadata.parquet`.",
        f"2. In `{RECIPE_FILE}` put your own folder wherever it says `{PLACE}`.",
        f"3. `python -m generators.build {RECIPE_FILE} -o BUILT`",
        "4. Compare the hashes; equal ones mean equal bytes:",
        "",
        "```python",
        "import pandas as pd",
        "from pathlib import Path",
        "",
        "for table in sorted(Path('.').glob('*/metadata.parquet')):",
        "    here, built = pd.read_parquet(table), pd.read_parquet(next(Path('BUILT').rglob(table.as_posix())))",
        "    both = here.merge(built, on='id', how='outer', suffixes=('', '_built'))",
        "    print(table.parent, (both.sha256 == both.sha256_built).sum(), 'of', len(here), 'clips are equal')",
        "```",
        "",
        f"Bytes are equal only with the same versions: {clean(versions)}.",
    ]
