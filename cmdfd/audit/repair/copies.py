"""Which clips are copies of each other: equal files, equal packets in another container, equal when decoded, or alike.

Looks alone are no criterion across labels: a fake whose lips were moved is a near copy of its real.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.repair.measured import class_masks, missing, texts
from cmdfd.clip import sha256_file
from cmdfd.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


def fingerprint(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, str]:
    """Hash a file, and the coded packets of its streams; a function for `cmdfd.work`.

    Args:
        payload: `path`; `streams`: whether the packets are hashed, too.
        context: Unused.

    Returns:
        `bytes` and `streams` as SHA-256; the latter is "" where it was not asked for or cannot be read.

    Raises:
        MediaError: "missing" where there is no such file.
    """
    path = Path(payload["path"])
    if not path.is_file():
        raise MediaError("missing", path)
    try:
        whole = sha256_file(path)
    except OSError as error:
        raise MediaError("missing", path, f"cannot be read: {error.strerror}") from error
    return {"bytes": whole, "streams": stream_hash(path) if payload["streams"] else ""}


def stream_hash(path: Path) -> str:
    """SHA-256 over the coded packets of picture and sound; "" for what is no media.

    Copies with other tags, names or boxes have one hash; anything that was coded again has another.
    """
    from cmdfd.media.open import open_media

    hashes: dict[int, Any] = {}
    try:
        with open_media(path) as container:
            streams = [one for one in container.streams if one.type in ("video", "audio")]
            for packet in container.demux(streams):
                if packet.size:
                    hashes.setdefault(packet.stream.index, hashlib.sha256()).update(bytes(packet))
    except MediaError:
        return ""
    except Exception as error:
        if type(error).__module__.split(".")[0] != "av":
            raise
        return ""
    whole = [hashes[index].hexdigest() for index in sorted(hashes)]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest() if whole else ""


def row_keys(frame: pd.DataFrame) -> list[str]:
    """[n] what a row of a list says apart from its id, label, split and component; "" for a row without a file."""
    apart = {"id", "label", "split", "component", "row", "table"}
    names = [str(name) for name in frame.columns if name not in apart]
    files = texts(frame, "file")
    if not any(files):
        return [""] * len(frame)
    columns = [["" if missing(value) else str(value) for value in frame[name]] for name in names]
    return ["\0".join(cells) if file else "" for file, *cells in zip(files, *columns, strict=True)]


def decoded_keys(frame: pd.DataFrame) -> list[str]:
    """[n] hashes of decoded pictures and samples, of the measured table; "" where either is not known."""
    pictures, sounds = texts(frame, "hash_video"), texts(frame, "hash_audio")
    return [f"{a} {b}" if a and b else "" for a, b in zip(pictures, sounds, strict=True)]


def alike(frame: pd.DataFrame) -> list[tuple[int, int]]:
    """Pairs of rows with one picture and one sound in another encoding: of one label and generator, in two splits."""
    prints = [texts(frame, name) for name in ("print_video", "print_audio")]
    if not all(any(column) for column in prints):
        return []
    from cmdfd.audit.setcues.near import alike_pairs

    labels, makers, splits = texts(frame, "label"), texts(frame, "generator"), texts(frame, "split")
    return [
        (one.first, one.second)
        for one in alike_pairs(*prints)
        if one.picture
        and one.sound
        and labels[one.first]
        and (labels[one.first], makers[one.first]) == (labels[one.second], makers[one.second])
        and splits[one.first] != splits[one.second]
    ]


def losers(frame: pd.DataFrame, keys: Sequence[Sequence[str]], pairs: Sequence[tuple[int, int]] = ()) -> dict[int, str]:
    """Rows that are dropped because others are copies of them, with the reason.

    Of copies that agree in their label the first by id is kept (one with a label before one without); of copies with
    both labels none is. Rows that name one file are windows of it, and no copies of each other.

    Args:
        frame: Clips.
        keys: For each kind of copy [n] texts; equal ones mean a copy, "" none.
        pairs: Further pairs of rows that are copies.
    """
    home = _united(len(frame), keys, pairs)
    masks = class_masks(frame)
    ids = texts(frame, "id")
    files = [path or f"row {row}" for row, path in enumerate(texts(frame, "path"))]
    members: dict[int, list[int]] = {}
    for row, root in enumerate(home):
        members.setdefault(int(root), []).append(row)
    found: dict[int, str] = {}
    for rows in members.values():
        if len({files[row] for row in rows}) < 2:
            continue
        if masks["fakes"][rows].any() and masks["reals"][rows].any():
            found |= dict.fromkeys(rows, "copies of it have the other label")
            continue
        unlabelled = ~(masks["fakes"] | masks["reals"])
        first = min(rows, key=lambda row: (bool(unlabelled[row]), ids[row], row))
        found |= {row: f"a copy of {ids[first]!r}" for row in rows if files[row] != files[first]}
    return found


def _united(n: int, keys: Sequence[Sequence[str]], pairs: Sequence[tuple[int, int]]) -> np.ndarray[Any, Any]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = list(pairs)
    for column in keys:
        first: dict[str, int] = {}
        edges += [(first.setdefault(key, row), row) for row, key in enumerate(column) if key]
    ends = np.array(edges, np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1])
