"""eval.yaml: the tasks of a set for the Hub's leaderboards, only where the publisher names a framework.

The Hub accepts frameworks of a list that it keeps (`huggingface.js`, packages/tasks/src/eval.ts); whether one is on it,
and whether a set becomes a benchmark, is the Hub's to say. This file claims neither.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "eval.yaml"


def evaluation(name: str, description: str, splits: Sequence[str], framework: str) -> str:
    """Text of eval.yaml, one task for each split.

    Args:
        name: Of the set.
        description: One sentence.
        splits: Names.
        framework: As the Hub's list has it.

    Raises:
        CmdfdError: For a framework that is empty or has other signs than small letters, digits, "-", "_" and ".".
    """
    from ruamel.yaml import YAML

    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", framework):
        raise CmdfdError(
            f"--evaluation-framework {framework!r}: give the id on the Hub's list of frameworks (up to 64 small "
            "letters, digits, '-', '_' and '.'), or leave the option out, and no eval.yaml is written"
        )
    found = {
        "name": clean(name),
        "description": clean(description),
        "evaluation_framework": framework,
        "tasks": [{"id": f"detection-{split}", "config": "default", "split": split} for split in splits],
    }
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump(found, stream)
    return stream.getvalue()
