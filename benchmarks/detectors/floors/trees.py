"""Small boosted trees: grown by scikit-learn, kept as plain arrays, so that nothing is ever pickled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Strong regularisation, since a floor must stay at chance where there is nothing: 60 trees of depth 2 on a random 70 %
#: of the clips each, with at least 20 clips in a leaf (a twentieth of the clips in small sets).
N_TREES, DEPTH, RATE, SUBSAMPLE, MIN_LEAF = 60, 2, 0.1, 0.7, 20
ARRAYS = {"feature": "int32", "left": "int32", "right": "int32", "threshold": "float64", "value": "float64"}


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """An additive model; all nodes of all trees stand in one row.

    Args:
        roots: [K] first node of each tree.
        feature: [M] column that a node asks for, -1 in leaves.
        left: [M] next node where the column's value <= threshold.
        right: [M] next node otherwise.
        threshold: [M].
        value: [M] what a leaf adds to the log-odds.
        bias: Log-odds before any tree.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    bias: float

    def log_odds(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n] log-odds of being fake for [n, d] float32 rows."""
        rows = np.arange(len(table))[:, None]
        node = np.broadcast_to(self.roots, (len(table), len(self.roots))).copy()
        inner = self.feature[node] >= 0
        while inner.any():
            goes_left = table[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
            inner = self.feature[node] >= 0
        total: NDArray[np.float64] = self.bias + self.value[node].sum(axis=1)
        return total

    @property
    def n_parameters(self) -> int:
        """Thresholds and leaf values that were learnt."""
        return len(self.value)

    def write(self, path: Path) -> None:
        """Write safetensors."""
        from safetensors.numpy import save_file

        tensors = {name: getattr(self, name) for name in ARRAYS}
        save_file({**tensors, "roots": self.roots, "bias": np.array([self.bias])}, path)

    @classmethod
    def read(cls, path: Path, width: int) -> Trees:
        """Read and check what `write` wrote.

        Args:
            path: The file.
            width: Number of columns of the tables that will be asked.

        Raises:
            CmdfdError: For anything that is not a set of finite trees over that many columns.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CmdfdError(f"{path}: not a safetensors file: {error}") from error
        expected = {**ARRAYS, "roots": "int32", "bias": "float64"}
        found = {name: str(array.dtype) for name, array in tensors.items() if array.ndim == 1}
        if found != expected:
            raise CmdfdError(f"{path}: expected the vectors {expected}, got {found}")
        bias = tensors.pop("bias")
        trees = cls(**tensors, bias=float(bias[0]) if len(bias) == 1 else np.nan)
        problem = trees._problem(width)
        if problem:
            raise CmdfdError(f"{path}: {problem}")
        return trees

    def _problem(self, width: int) -> str | None:
        size = len(self.value)
        if any(len(getattr(self, name)) != size for name in ARRAYS):
            return "the vectors of nodes differ in length"
        if not (np.isfinite(self.value).all() and np.isfinite(self.threshold).all() and np.isfinite(self.bias)):
            return "a number is not finite"
        if ((self.roots < 0) | (self.roots >= size)).any() or (self.feature >= width).any():
            return "a node or column does not exist"
        inner = np.flatnonzero(self.feature >= 0)
        for side in (self.left, self.right):
            # children stand behind their parents, so no path can run in circles
            if ((side[inner] <= inner) | (side[inner] >= size)).any():
                return "a node leads back or nowhere"
        return None


def grow(table: NDArray[np.float32], labels: NDArray[np.bool_], seed: int) -> Trees:
    """Grow the trees with both classes weighted alike.

    Args:
        table: [n, d] finite.
        labels: [n], True = fake; both classes.
        seed: Seed; equal input and seed give equal trees.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    share = labels.mean()
    weights = np.where(labels, 0.5 / share, 0.5 / (1 - share))
    model: Any = GradientBoostingClassifier(
        n_estimators=N_TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=SUBSAMPLE,
        min_samples_leaf=int(np.clip(len(labels) // 20, 2, MIN_LEAF)),
        random_state=seed,
    )
    model.fit(table, labels.astype(np.int64), sample_weight=weights)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ARRAYS}
    roots, offset = [], 0
    for grown in model.estimators_[:, 0]:
        tree = grown.tree_
        leaf = tree.children_left < 0
        roots.append(offset)
        parts["feature"].append(np.where(leaf, -1, tree.feature))
        parts["left"].append(np.where(leaf, -1, tree.children_left + offset))
        parts["right"].append(np.where(leaf, -1, tree.children_right + offset))
        parts["threshold"].append(np.where(leaf, 0.0, tree.threshold))
        parts["value"].append(np.where(leaf, RATE * tree.value[:, 0, 0], 0.0))
        offset += tree.node_count
    arrays = {name: np.concatenate(parts[name]).astype(kind) for name, kind in ARRAYS.items()}
    # weighted alike, the classes have log-odds 0 before any tree; so scikit-learn starts too (checked in the tests)
    return Trees(roots=np.array(roots, np.int32), bias=0.0, **arrays)
