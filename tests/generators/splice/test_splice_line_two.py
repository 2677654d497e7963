"""Changed pixels lie inside the mask, and the mask's pixels changed: a figure for each operation, before any encoding.

`pytest -m slow -s tests/generators/splice/test_splice_line_two.py` prints the table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from splice_takes import SPLICES, line_two

#: Of the whole difference inside the mask (grown by two pixels), and of the mask what differs.
INSIDE, DIFFERS = 0.99, 0.8


@pytest.mark.slow
def test_line_two_holds_on_talkers() -> None:
    """Eight recordings of four people, all operations with their defaults."""
    pytest.importorskip("espeakng_loader", reason="talkers need the extra `talkers`")
    from generators.sources.talkers.source import TalkerSource, render_take

    options = {"cast": "a", "difficulty": 0.7, "seconds": 3.2}
    plan = TalkerSource(options).plan({"test": {"identities": 4, "clips": 2}}, seed=1)
    takes = [render_take(item) for item in plan.items]
    print()
    for op in SPLICES:
        line = line_two(op, takes)
        print(line)
        assert line.refused == 0 and line.n == 8
        assert line.inside[0] >= INSIDE and line.differs[0] >= DIFFERS, line


@pytest.mark.slow
@pytest.mark.face
def test_line_two_holds_on_real_recordings(shared_clips: Path) -> None:
    """Two people whom nobody of this project recorded, with compression, as the folder source takes them in."""
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    from cmdfd.faces.backends import get_backend
    from cmdfd.media.probe import probe
    from generators.sources.ingest import IngestSettings, cut, ingest, usable_span

    backend = get_backend("mediapipe-solutions", None, "this test")
    takes = []
    for name in ("grid_s1_01.mp4", "retalking_face1_01.mp4"):
        path = shared_clips / "video" / name
        (span, *_) = cut(usable_span(probe(path)), 3.2, 2.6, 1)
        takes.append(ingest(path, span, backend, IngestSettings(size=256, rule="largest")))
    print()
    for op in ("face", "mouth", "object", "remove", "copy_move"):
        line = line_two(op, takes)
        print(line)
        assert line.refused == 0 and line.n == 2
        assert line.inside[0] >= INSIDE and line.differs[0] >= DIFFERS, line
