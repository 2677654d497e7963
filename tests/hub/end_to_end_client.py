"""Loads published sets by `datasets.load_dataset` alone, and prints what came as JSON: media's hashes, all columns.

Arguments: `REPO REVISION MEDIA_COLUMN` as often as wanted. Nothing of cmdfd is used, so nothing of it is trusted.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import HfFileSystem


def bytes_of(media: dict[str, Any]) -> bytes:
    if media["bytes"] is not None:
        return bytes(media["bytes"])
    if media["path"].startswith("hf://"):
        return bytes(HfFileSystem().cat_file(media["path"]))
    return Path(media["path"]).read_bytes()


def loaded(repo: str, revision: str, column: str, *, streaming: bool) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for split, table in datasets.load_dataset(repo, revision=revision, streaming=streaming).items():
        rows = table.decode(False) if streaming else table.cast_column(column, datasets.Video(decode=False))
        found[split] = []
        for row in rows:
            media = row.pop(column)
            columns = row["json"] if column == "mp4" else row
            found[split].append({**columns, "media": hashlib.sha256(bytes_of(media)).hexdigest()})
    return found


def main() -> int:
    words = sys.argv[1:]
    came = [
        loaded(*words[place : place + 3], streaming=streaming)
        for place in range(0, len(words), 3)
        for streaming in (False, True)
    ]
    print(json.dumps(came))
    return 0


if __name__ == "__main__":
    sys.exit(main())
