"""Publishes a set, or takes withdrawn files off the Hub, in a process with the real clients; prints JSON.

Arguments: `publish|takedown SET STAGE LAYOUT TAG`. The checks before publishing are left out: they have tests of their
own and take most of the time.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish import remote
from cmdfd.publish.documents import read_words, write_documents
from cmdfd.publish.hub import publish
from cmdfd.publish.records import Checked, Repo
from cmdfd.publish.staging import stage, staged_files
from cmdfd.takedown.hub import carry_out, look, plan, plan_lines

REPO = "lab/people"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    remote.FIRST_WAIT = 0.02
    what, home, folder, layout, tag = sys.argv[1:]
    dataset, repo = Dataset.open(home), Repo(REPO, tag)
    staged = stage(dataset, Path(folder), layout, say=say)  # type: ignore[arg-type]
    write_documents(dataset, staged, Checked(()), repo, read_words(None), framework=None)
    staged = replace(staged, files=staged_files(staged.folder))
    try:
        if what == "publish":
            print(json.dumps({"commit": publish(staged, repo, say, verify=lambda commit: len(dataset.rows)).commit}))
            return 0
        found = plan(look(repo), staged, repo)
        lines = plan_lines(found, repo, staged)
        done = carry_out(found, dataset, staged, repo, say, visible=True)
    except CmdfdError as error:
        print(json.dumps({"error": str(error)}))
        return 2
    told = {"lines": lines, "commit": done.published.commit, "rows": done.published.n_rows, "look": done.warnings}
    gone = {"removed": found.removed, "changed": found.changed, "tags": found.tags, "objects": found.objects}
    print(json.dumps(told | gone))
    return 0


if __name__ == "__main__":
    sys.exit(main())
