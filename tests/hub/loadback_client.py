"""Uploads sets as they are told and loads them back, in a process with the real clients; prints JSON.

Arguments: pairs of `REPO FOLDER`, then `--load REPO HOME LAYOUT STREAMING` as often as wanted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from huggingface_hub import HfApi, constants

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.loadback import load_back


def main() -> int:
    words = sys.argv[1:]
    outcomes: list[object] = []
    api = HfApi()
    while words and words[0] != "--load":
        repo, folder, *words = words
        api.create_repo(repo, repo_type="dataset", exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset")
    while words:
        _, repo, home, layout, streaming, *words = words
        commit = api.dataset_info(repo).sha
        try:
            rows: object = load_back(
                repo,
                str(commit),
                Dataset.open(home),
                layout,  # type: ignore[arg-type]
                streaming=streaming == "streaming",
            )
        except CmdfdError as error:
            rows = str(error)
        outcomes.append(rows)
    left = [path.as_posix() for path in Path(constants.HF_HUB_CACHE).rglob("*") if path.is_file()]
    print(json.dumps({"rows": outcomes, "left": left}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
