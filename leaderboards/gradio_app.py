"""A Gradio app that shows the boards of this folder; copied into a Space as app.py, it imports nothing of cmdfd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "boards"


def boards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Boards by title, as `leaderboard.json` holds them.

    Args:
        folder: Holds NAME/leaderboard.json.
    """
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/leaderboard.json"))]
    titles = [board["board"]["title"] for board in found]
    named = [
        title if titles.count(title) == 1 else f"{title} ({board['board']['name']})"
        for title, board in zip(titles, found, strict=True)
    ]
    return dict(zip(named, found, strict=True))


def table(board: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Heads and rows of a board; the first two columns are rank and system.

    Args:
        board: `leaderboard.json`.
    """
    sets = [one["name"] for one in board["board"]["sets"]]
    heads = ["Rank", "System", "State", "Macro AUC", "low", "high", "Over metadata floor", "Worst set"]
    heads += [*(f"AUC {name}" for name in sets), "Failed clips", "Trained on"]
    return heads, [_row(row, sets) for row in board["rows"]]


def _row(row: dict[str, Any], sets: list[str]) -> list[Any]:
    by_set = {one["set"]: one for one in row["sets"]}
    rank = row["rank"] if row["ranked"] else "floor" if row["floor"] else "–"
    trained = "not declared" if row["trained_on"] is None else ", ".join(row["trained_on"]) or "nothing"
    return [
        rank,
        row["name"],
        row["state"],
        _number(row["macro"]),
        _number(row["macro"], "low"),
        _number(row["macro"], "high"),
        _number(row["margin"]),
        row["worst"][0] if row["worst"] else "",
        *(_number(by_set[name]["auc"]) if name in by_set else None for name in sets),
        sum(one["n_failed"] for one in row["sets"]),
        trained,
    ]


def _number(number: dict[str, Any] | None, part: str = "value") -> float | None:
    return None if number is None or number[part] is None else round(float(number[part]), 4)


def build(folder: Path = FOLDER) -> Any:
    """The app.

    Args:
        folder: Holds NAME/leaderboard.json.
    """
    import gradio

    with gradio.Blocks(title="cmdfd leaderboards") as app:
        gradio.Markdown("# cmdfd leaderboards\n\nEvery number is recomputed from submitted predictions.")
        for title, board in boards(folder).items():
            heads, rows = table(board)
            with gradio.Tab(title):
                # as code: a board's own words are not markup
                gradio.Textbox(board["board"]["summary"], label="What it asks", interactive=False)
                gradio.Dataframe(
                    rows, headers=heads, datatype="str", pinned_columns=2, show_search="filter", interactive=False
                )
    return app


if __name__ == "__main__":
    build().launch()
