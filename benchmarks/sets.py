"""Opening the sets of a run; embedded ones are built on first use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.protocol import Selection, SplitRef, limit_components
from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.progress import Reporter
    from cmdfd.dataset import Dataset


@dataclass(slots=True)
class SetStore:
    """Opens sets by name or folder, each once.

    Args:
        cache: Where embedded sets are built.
        workers: Processes of a build.
        reporter: Told about builds.
    """

    cache: Path
    workers: int
    reporter: Reporter
    _open: dict[str, Dataset] = field(default_factory=dict)

    def open(self, name: str) -> Dataset:
        """Open a built folder, or an embedded recipe by name (building it where it is not there yet)."""
        from cmdfd.dataset import Dataset

        if name not in self._open:
            folder = Path(name)
            self._open[name] = Dataset.open(folder) if folder.is_dir() else self._embedded(name)
        return self._open[name]

    def check(self, names: Iterable[str]) -> None:
        """Refuse wrong names before anything is built.

        Raises:
            CmdfdError: With the nearest right name.
        """
        from generators.recipe import builtin_recipes

        known = builtin_recipes()
        for name in names:
            if not Path(name).is_dir() and name not in known:
                raise CmdfdError(
                    f"{name!r} is neither the folder of a built set nor an embedded recipe: {nearest(name, known)}"
                )

    def _embedded(self, name: str) -> Dataset:
        from cmdfd.dataset import Dataset
        from generators.build import build
        from generators.plan import make_plan
        from generators.recipe import load_recipe

        self.check([name])
        recipe = load_recipe(name)
        out = self.cache / "sets" / f"{name}-{make_plan(recipe).recipe_hash[:12]}"
        with self.reporter.bar(f"build {name}") as bar:
            build(recipe, out, workers=self.workers, progress=lambda stage, done, total: bar(done, total, stage))
        self.reporter.say(f"{name}: ready at {out}")
        return Dataset.open(out)

    def select(self, ref: SplitRef, limit: float | None = None) -> Selection:
        """Clips of a split.

        Raises:
            CmdfdError: Where the split is empty or its labels are withheld.
        """
        data = self.open(ref.dataset)
        clips = limit_components([clip for clip in data.clips(ref.split) if clip.labels.label is not None], limit)
        if not clips:
            present = sorted({clip.split for clip in data.clips()})
            raise CmdfdError(f"{ref.label}: no labelled clips in split {ref.split!r}; the set has: {present}")
        return Selection(SplitRef(data.name, ref.split), data, clips)
