"""From drafts to the table of clips: one row a clip, unique ids, no copies, components, media where asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.grouping import Known, group
from cmdfd.audit.targets.rawtable import Refused, TableError
from cmdfd.audit.targets.values import blank, text_type
from cmdfd.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.targets.lists import Draft

#: Where this share of the files has both labels, a name does not stand for one clip and nothing is dropped.
_NAMES_NOTHING = 0.2
_FACT_ORDER = (
    "id", "label", "component", "generator", "split", "modality", "platform", "file", "path", "original", "face_id",
    "voice_id", "donor_id", "audio_label", "video_label", "sync_mismatch", "identity_mismatch", "segments", "seconds",
    "text", "language", "conflict",
)  # fmt: skip
_TEXT_FACTS = (
    "id", "component", "generator", "split", "modality", "platform", "file", "path", "original", "face_id", "voice_id",
    "donor_id", "text", "language",
)  # fmt: skip


def merged(drafts: Sequence[Draft]) -> Draft:
    """Several drafts one below the other; columns that one lacks are empty there."""
    import pandas as pd

    from cmdfd.audit.targets.lists import Draft

    if len(drafts) == 1:
        return drafts[0]
    sizes = [len(draft.clips) for draft in drafts]
    whole = Draft(
        pd.concat([draft.clips for draft in drafts], ignore_index=True),
        pd.concat([draft.names for draft in drafts], ignore_index=True),
        pd.concat([draft.paths for draft in drafts], ignore_index=True),
    )
    for k in range(max(len(draft.identities) for draft in drafts)):
        parts = [d.identities[k] if k < len(d.identities) else blank(n) for d, n in zip(drafts, sizes, strict=True)]
        whole.identities.append(pd.concat(parts, ignore_index=True))
    for name in ("originals", "groups"):
        if any(getattr(draft, name) is not None for draft in drafts):
            parts = [
                blank(n) if getattr(draft, name) is None else getattr(draft, name)
                for draft, n in zip(drafts, sizes, strict=True)
            ]
            setattr(whole, name, pd.concat(parts, ignore_index=True))
    whole.group_name = next((draft.group_name for draft in drafts if draft.group_name), "")
    for draft in drafts:
        whole.notes += [note for note in draft.notes if note not in whole.notes]
        whole.cues |= draft.cues
    return whole


def take(draft: Draft, rows: NDArray[np.bool_]) -> None:
    """Keep some rows of a draft."""
    for name in ("clips", "names", "paths", "originals", "groups"):
        held = getattr(draft, name)
        if held is not None:
            setattr(draft, name, held[rows].reset_index(drop=True))
    draft.identities = [one[rows].reset_index(drop=True) for one in draft.identities]


def only_split(draft: Draft, split: str | None) -> None:
    """Keep one split.

    Raises:
        TableError: If there is none of that name.
    """
    if split is None:
        return
    found = draft.clips["split"].astype(object)
    wanted = (found.str.casefold() == split.casefold()).to_numpy(dtype=bool, na_value=False)
    if not wanted.any():
        known = sorted({str(one) for one in found.dropna().unique() if one})
        raise TableError(f"--split: there is no split {split!r}: {nearest(split, known)}")
    take(draft, wanted)
    draft.notes.append(f"only the split {split!r}: {int(wanted.sum())} clips")


def drop_copies(draft: Draft) -> None:
    """Keep one row for each file of a split; a file with both labels keeps none of them, and says so in `conflict`."""
    import numpy as np
    import pandas as pd

    clips = draft.clips
    named = (draft.clips["file"] != "").to_numpy(dtype=bool)
    if not named.any():
        return
    spot, _ = pd.factorize(clips["file"])
    place, _ = pd.factorize(clips["split"].astype(object))
    split_spot = spot.astype(np.int64) * (int(place.max()) + 2) + place
    split_spot[~named] = -1 - np.arange((~named).sum())
    label = clips["label"].to_numpy(dtype=float)
    both = _both_labels(spot, label) & named
    n_files, n_both = len(np.unique(spot[named])), len(np.unique(spot[both]))
    if both.sum() > 2 and n_both > _NAMES_NOTHING * n_files:
        draft.notes.append(
            f"{n_both} of {n_files} names stand for real and for fake clips, so a name is not one clip and no "
            f"row was dropped"
        )
        return
    keep = ~pd.Series(split_spot).duplicated().to_numpy()
    if n_both:
        clips["conflict"] = both
        clips.loc[both, "label"] = np.nan
        shown = ", ".join(map(repr, clips.loc[both, "file"].unique()[:3]))
        draft.notes.append(f"{n_both} files are listed as real and as fake, and count as neither: {shown}")
    if not keep.all():
        draft.notes.append(f"{int((~keep).sum())} rows list a file once more and were dropped")
        take(draft, keep)


def _both_labels(spot: NDArray[np.intp], label: NDArray[np.float64]) -> NDArray[np.bool_]:
    import numpy as np

    size = int(spot.max()) + 1
    real = np.bincount(spot[label == 0], minlength=size) > 0
    fake = np.bincount(spot[label == 1], minlength=size) > 0
    return np.asarray((real & fake)[spot])


def finish(draft: Draft) -> pd.DataFrame:
    """Unique ids, components, and columns in their order."""
    import numpy as np
    import pandas as pd

    clips = draft.clips
    for name in _TEXT_FACTS:
        if name in clips.columns:
            clips[name] = clips[name].astype(text_type()).fillna("")
    rows = "row " + pd.Series(np.arange(len(clips)) + 1).astype(str)
    ids = clips["id"].where((clips["id"] != "").to_numpy(dtype=bool), rows)
    clips["id"] = _unique(ids.astype(text_type()))
    label = clips["label"].to_numpy(dtype=float)
    known = Known(clips["id"], draft.names, draft.paths, label, draft.identities, draft.originals)
    found = group(known, draft.groups, draft.group_name)
    draft.notes += found.notes
    clips["component"] = found.component
    for name, values in (("face_id", found.first), ("donor_id", found.donor)):
        if name not in clips.columns:
            clips[name] = values
    unknown = int(clips["label"].isna().sum()) - int(clips["conflict"].sum() if "conflict" in clips.columns else 0)
    if unknown:
        draft.notes.append(f"{unknown} of {len(clips)} clips have no label and take no part in any comparison")
    texts = [name for name in _TEXT_FACTS if name in clips.columns and name not in ("id", "component", "file")]
    if "table" in clips.columns and clips["table"].nunique() < 2:
        del clips["table"]
    empty = [name for name in texts if not (clips[name] != "").any()]
    facts = [name for name in _FACT_ORDER if name in clips.columns and name not in empty]
    cues = [name for name in clips.columns if "." in name]
    others = [name for name in clips.columns if "." not in name and name not in _FACT_ORDER]
    return clips[[*facts, *others, *cues]]


def _unique(ids: pd.Series[Any]) -> pd.Series[Any]:
    """The same with the number of the row behind every repeated one: no copy comes first, so no class does."""
    import numpy as np
    import pandas as pd

    again = ids.duplicated(keep=False).to_numpy(dtype=bool)
    if not again.any():
        return ids
    rows = pd.Series(np.arange(len(ids)) + 1).astype(str).str.zfill(6).astype(text_type())
    numbered = ids.where(~again, ids + " #" + rows)
    return _unique(numbered) if numbered.duplicated().any() else numbered


def find_media(draft: Draft, root: Path, refused: Refused) -> None:
    """Fill in `path` from a list's paths below a folder.

    The longest end of the listed paths that exists below `root` decides how many of their folders are left out.

    Raises:
        TableError: If the folder does not exist, or holds none of the files.
    """
    root = root.resolve()
    if not root.is_dir():
        raise TableError(f"{root}: --media-root is not a folder")
    listed = [str(one).replace("\\", "/") for one in draft.paths]
    step = max(1, len(listed) // 200)
    sample = [one for one in listed[::step] if one]
    deepest = max((one.count("/") for one in sample), default=0)
    hits = {cut: sum(_below(root, one, cut) is not None for one in sample) for cut in range(deepest + 1)}
    cut = max(hits, key=lambda c: (hits[c], -c), default=0)
    if not hits.get(cut):
        raise TableError(f"{root}: holds none of the listed files, for example {sample[0] if sample else 'none'!r}")
    found = []
    for one in listed:
        path = _below(root, one, cut) if one else None
        if path is None:
            refused.add(one[:200] or "a row", "no such file below --media-root", "are not below --media-root")
        found.append("" if path is None else str(path))
    draft.clips["path"] = found
    if cut:
        draft.notes.append(f"the first {cut} folders of the listed paths were left out to find the files")


def _below(root: Path, listed: str, cut: int) -> Path | None:
    """The file that a listed path means below `root`, None where there is none or it would lie outside."""
    parts = [part for part in listed.split("/") if part not in ("", ".")][cut:]
    if not parts or ".." in parts or "\0" in listed:
        return None
    path = root.joinpath(*parts)
    try:
        return path if path.is_file() and path.resolve().is_relative_to(root) else None
    except OSError:
        return None
