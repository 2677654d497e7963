"""How a set lies on the Hub. Each module writes one layout from a public VideoFolder; no media is ever re-encoded.

```
videofolder   <split>/metadata.parquet, <split>/videos/000/<id>.mp4, masks/000/<id>.mkv, tracks/000/<id>.npz
webdataset    data/<split>-000000.tar with <id>.mp4 + <id>.json
parquet       data/<split>-00000-of-00003.parquet with the column `video`: {bytes, path}
```
The last two keep masks and tracks in `masks/<split>-000000.tar` and `tracks/<split>-000000.tar`, so that all samples of
the data have the same members. `labels.parquet`, `build.json` and whatever else lies in the set stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.publish.formats.tables import features_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmdfd.dataset import Dataset
    from cmdfd.publish.records import Format

#: Column of `load_dataset`'s rows that holds the media.
MEDIA_COLUMN: dict[Format, str] = {"videofolder": "video", "webdataset": "mp4", "parquet": "video"}


def data_files(layout: Format, splits: Iterable[str]) -> dict[str, list[str]]:
    """Patterns for the card's `configs`: split -> `path`. They never take in labels, masks or documents.

    A folder's `labels.parquet` must not match: with few clips, `datasets` would take the set for a Parquet set.
    """
    patterns: dict[Format, tuple[str, ...]] = {
        "videofolder": ("{split}/metadata.parquet", "{split}/videos/**"),
        "webdataset": ("data/{split}-*.tar",),
        "parquet": ("data/{split}-*.parquet",),
    }
    return {split: [one.format(split=split) for one in patterns[layout]] for split in splits}


def dataset_info(layout: Format, public: Dataset) -> dict[str, Any] | None:
    """The card's `dataset_info`, or None for layouts whose files say it themselves.

    `datasets` reads the columns of a tar from its first five samples, where labels, masks and segments may all be
    null or empty; only the card can tell what they are.
    """
    if layout != "webdataset":
        return None
    from cmdfd.publish.formats.webdataset import features

    return {"features": features(public)._to_yaml_list()}


def load_arguments(layout: Format, public: Dataset) -> dict[str, Any]:
    """What `load_dataset` needs where the card is not read, e.g. on single files: `features` of a tar."""
    if layout != "webdataset":
        return {}
    from cmdfd.publish.formats.webdataset import features

    return {"features": features(public)}


__all__ = ["MEDIA_COLUMN", "data_files", "dataset_info", "features_of", "load_arguments"]
