"""Comparing stored maps with masks, clip by clip, each comparison kept so that a second run need not decode a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.code_version import code_version
from benchmarks.pixels import NOT_SOUGHT, Control, MapStore, pixel_row, truth_kind
from benchmarks.predicting import PredictionStore, Wanted
from benchmarks.twins import Twin
from cmdfd.clip import content_id, sha256_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.detector import PixelMaps
    from benchmarks.features import PreparedClip
    from benchmarks.predictions import RowKey
    from benchmarks.progress import Bar
    from cmdfd.clip import Clip

#: Columns of a row that say whose it is; the rest are the counts.
_WHOSE = ("detector", "dataset", "split", "condition", "id")
NO_TWIN_MAP = "the detector gave no map for the real clip of its take"


@dataclass(frozen=True, slots=True)
class PixelCounter:
    """Counts the pixels of one fitted detector.

    Args:
        maps: Its maps.
        store: Counts so far.
    """

    maps: MapStore
    store: PredictionStore

    def any_maps(self, items: Sequence[PreparedClip]) -> bool:
        """Whether the detector gave a map for any of these clips; cheap for detectors that give none."""
        return (self.maps.folder / self.maps.revision).is_dir() and any(
            Wanted(item, 0).key in self.maps for item in items
        )

    def rows(
        self,
        key: RowKey,
        items: Sequence[PreparedClip],
        mask_of: Callable[[Clip], Path | None],
        bar: Bar,
        twins: Mapping[str, Twin] | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of `pixels.parquet`; a clip without maps counts as the worst maps there are.

        Args:
            key: Where they belong.
            items: Clips of a split.
            mask_of: Gives the mask file of a clip.
            bar: Told how far it is.
            twins: Real twin of each fake by id, see `benchmarks.twins.twins_of`; they are among `items`.

        Raises:
            CmdfdError: Where a mask cannot be read or does not fit its clip.
        """
        known = self.store.read()
        whose = dict(zip(_WHOSE, (key.detector, key.dataset, key.split, key.condition), strict=False))
        addresses = {item.clip.id: Wanted(item, 0).key for item in items}
        found = []
        for done, item in enumerate(items, start=1):
            mask = mask_of(item.clip)
            twin = self._seen(None if mask is None else (twins or {}).get(item.clip.id), addresses)
            name = self._name(item, mask, twin, addresses)
            if name not in known:
                row = self._row(key, item, mask, twin, addresses)
                known[name] = {column: _plain(value) for column, value in row.items() if column not in _WHOSE}
                self.store.append(name, known[name])
            found.append({**whose, "id": item.clip.id, **known[name]})
            bar(done, len(items))
        return found

    def _name(self, item: PreparedClip, mask: Path | None, twin: Twin, addresses: Mapping[str, str]) -> str:
        """Address of a comparison: everything that decides it, the maps' own bytes among it."""
        code = code_version("benchmarks.metrics.spatial_counts", "benchmarks.pixels", "cmdfd.media.masks")
        digest = sha256_file(mask) if mask is not None and mask.is_file() else truth_kind(item.clip, mask)
        own, other = addresses[item.clip.id], addresses[twin.clip.id] if twin.clip is not None else ""
        maps = [self.maps.digest(own), self.maps.digest(other) if other else twin.why]
        return content_id(own, digest, maps, str(item.clip.labels), other, code, length=40)

    def _row(
        self, key: RowKey, item: PreparedClip, mask: Path | None, twin: Twin, addresses: Mapping[str, str]
    ) -> dict[str, Any]:
        control = Control(why=twin.why)
        if twin.clip is not None:
            control = Control(twin.clip.id, self.maps.get(addresses[twin.clip.id]), NO_TWIN_MAP)
        return pixel_row(key, item.clip, mask, self.maps.get(addresses[item.clip.id]), control=control)

    def _seen(self, twin: Twin | None, addresses: Mapping[str, str]) -> Twin:
        """A twin that has a map; one that has none counts as missing."""
        if twin is None:
            return Twin(None, NOT_SOUGHT)
        if twin.clip is None or addresses.get(twin.clip.id, "") in self.maps:
            return twin
        return Twin(None, NO_TWIN_MAP)


def _plain(value: Any) -> Any:
    """A count as JSON takes it."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def on_frames(maps: PixelMaps, n_frames: int, fps: float) -> NDArray[np.uint8]:
    """Maps on the frames of their clip, paired by the metrics' own rule; blank where none reaches.

    Args:
        maps: What a detector said.
        n_frames: Frames of the clip.
        fps: Their rate.

    Returns:
        [n_frames, h, w] of the maps' size.
    """
    from benchmarks.metrics.spatial_counts import nearest_maps

    chosen = nearest_maps(np.arange(n_frames) / fps, maps.times)
    found = maps.maps[np.maximum(chosen, 0)].copy()
    found[chosen < 0] = 0
    return found
