"""Publishes a folder by `cmdfd.publish.hub` in a process of its own; prints the outcome as JSON.

The verification here downloads every file of the commit and compares it, so it needs no built set.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from cmdfd.errors import CmdfdError
from cmdfd.publish import remote
from cmdfd.publish.records import Repo, Staged, StagedFile


def staged_folder(folder: Path) -> Staged:
    files = [
        StagedFile(path.relative_to(folder).as_posix(), len(data), hashlib.sha256(data).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for data in [path.read_bytes()]
    ]
    return Staged(folder, folder.name, "videofolder", tuple(files))


def main() -> int:
    from cmdfd.publish.hub import publish

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repo", default="lab/mini")
    parser.add_argument("--tag", default="v1.0.0")
    parser.add_argument("--keep-private", action="store_true")
    parser.add_argument("--spoil", action="store_true", help="verification fails")
    parser.add_argument("--wait", type=float, default=0.02, help="seconds before a call is tried again, at first")
    parsed = parser.parse_args()
    remote.FIRST_WAIT = parsed.wait
    staged = staged_folder(parsed.folder)

    def verify(commit: str) -> int:
        from huggingface_hub import hf_hub_download

        if parsed.spoil:
            raise CmdfdError("not_loadable: a row is not what was built")
        with tempfile.TemporaryDirectory() as cache:
            for file in staged.files:
                got = hf_hub_download(parsed.repo, file.path, repo_type="dataset", revision=commit, cache_dir=cache)
                assert Path(got).read_bytes() == (staged.folder / file.path).read_bytes()
        return len(staged.files)

    repo = Repo(parsed.repo, parsed.tag, visible=not parsed.keep_private)
    try:
        published = publish(staged, repo, lambda text: print(text, file=sys.stderr, flush=True), verify=verify)
    except CmdfdError as error:
        print(json.dumps({"error": str(error)}))
        return 2
    print(json.dumps(asdict(published)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
