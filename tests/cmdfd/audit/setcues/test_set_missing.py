"""What a class lacks is said first and in plain words; sets that cannot be judged say so."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom
from set_targets import checks, target

from cmdfd.audit.setcues import set_checks
from cmdfd.audit.setcues.missing import fisher
from cmdfd.audit.severity import SEVERITIES


def test_a_class_without_sound_is_told_first_and_in_plain_words() -> None:
    trial = target(label=[0] * 20 + [1] * 18, file=[f"{k}.mp4" for k in range(38)],
                   component=[str(k) for k in range(38)],
                   split=["train", "test"] * 19, face_id=["one"] * 38)  # fmt: skip
    table = pd.DataFrame({"container.streams": ["v"] * 20 + ["va"] * 18})
    found = set_checks(trial, table)
    assert found[0].name == "missing.sound" and found[0].severity == "critical" and found[0].n == 20
    assert found[0].sentence == (
        "All 20 reals have no sound; of the fakes 0 of 18 lack it. A detector needs only ask whether there is sound."
    )
    assert found[0].examples == ("0.mp4", "1.mp4", "2.mp4", "3.mp4", "4.mp4")
    assert found[1].name == "split.identity"  # worse than nothing, but not first


def test_a_list_that_states_lengths_tells_missing_streams_too() -> None:
    found = checks(
        label=[0] * 30 + [1] * 30, time__video_duration=[4.0] * 60, time__audio_duration=[4.0] * 30 + [None] * 30
    )
    assert found["missing.sound"].severity == "critical"
    assert "All 30 fakes have no sound" in found["missing.sound"].sentence
    assert "missing.picture" not in found


def test_what_all_clips_lack_is_only_worth_knowing() -> None:
    found = checks(label=[0, 1] * 10, container__streams=["a"] * 20)
    assert found["missing.picture"].severity == "none"
    assert found["missing.picture"].sentence == "None of the 20 clips has a picture."
    equal = checks(label=[0, 1] * 10, container__streams=["a", "a", "va", "va"] * 5)
    assert equal["missing.picture"].severity == "none"


@pytest.mark.parametrize(
    ("n_lacking", "n", "severity"),
    [(1, 1, "high"), (100, 100, "critical"), (9, 100, "high"), (30, 1000, "medium"), (2, 100, "low")],
)
def test_the_grade_follows_the_share_and_whether_chance_would_do_it(n_lacking: int, n: int, severity: str) -> None:
    streams = ["v"] * n_lacking + ["va"] * (n - n_lacking) + ["va"] * n
    assert checks(label=[1] * n + [0] * n, container__streams=streams)["missing.sound"].severity == severity


def test_unreadable_files_are_counted_by_class_with_fishers_p() -> None:
    broken, whole = [None] * 8 + ["va"] * 12, ["va"] * 20
    found = checks(
        label=[1] * 20 + [0] * 20, path=[f"/nowhere/{k}.mp4" for k in range(40)], container__streams=broken + whole
    )
    assert found["missing.unreadable"].severity == "high" and found["missing.unreadable"].n == 8
    assert "0 of 20 reals and 8 of 20 fakes could not be read" in found["missing.unreadable"].sentence
    one = checks(label=[1, 0] * 10, path=["/nowhere/x.mp4"] * 20, container__streams=[None] + ["va"] * 19)
    assert one["missing.unreadable"].severity == "low"
    assert "missing.unreadable" not in checks(label=[1, 0], container__streams=[None, "va"])  # no file was looked for


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_fishers_p_is_the_sum_of_the_tables_that_are_no_likelier(rows: list[tuple[bool, bool]]) -> None:
    chosen = np.array([a for a, _ in rows], bool)
    labels = np.array([b for _, b in rows], np.int8)
    p = fisher(chosen, labels)
    n, k, m = len(rows), int(chosen.sum()), int((labels == 0).sum())
    if m in (0, n):
        assert p == 1
        return
    chances = hypergeom(n, k, m).pmf(np.arange(n + 1))
    seen = chances[int((chosen & (labels == 0)).sum())]
    assert p == pytest.approx(min(1.0, chances[chances <= seen * (1 + 1e-7)].sum()), abs=1e-9)


@pytest.mark.parametrize(
    ("columns", "name", "words"),
    [
        ({"label": []}, "set.empty", "no clips"),
        ({"label": [1, 1]}, "set.one_class", "no real clip beside the 2 fakes"),
        ({"label": [0, 0, 0]}, "set.one_class", "no fake clip beside the 3 reals"),
        ({"label": [0, 1, 1]}, "set.single_clip", "one real clip only"),
        ({"label": [None, None]}, "set.unlabelled", "None of the 2 clips has a label"),
        ({"file": ["a", "b"]}, "set.unlabelled", "None of the 2 clips has a label"),
        ({"label": [0, 0, 1, 1, None]}, "set.unlabelled", "1 clip of 5 has no label"),
        ({"label": [0, 1, 0, 1], "component": ["a"] * 4}, "set.one_component", "All 4 clips hang together"),
    ],
)
def test_a_set_that_cannot_be_judged_says_so(columns: dict[str, list[object]], name: str, words: str) -> None:
    found = checks(**columns)
    assert words in found[name].sentence
    assert found[name].severity == "none"  # the audit is "not testable", which is not "failed"


def test_a_sound_set_has_no_checks() -> None:
    n = 40
    found = checks(
        label=[0, 1] * (n // 2), file=[f"{k:02d}.mp4" for k in range(n)], component=[f"c{k // 4}" for k in range(n)],
        face_id=[f"f{k // 4}" for k in range(n)], split=["train" if k < 28 else "test" for k in range(n)],
        audio_label=[0, 1] * (n // 2), video_label=[0] * n, segments=[(), ((0.5, 1.0, "audio"),)] * (n // 2),
        seconds=[3.0] * n, generator=["", "tts"] * (n // 2), container__streams=["va"] * n,
        sha256=[f"{k:064x}" for k in range(n)],
    )  # fmt: skip
    assert found == {}


_CELLS = st.one_of(
    st.none(), st.floats(), st.integers(-(2**70), 2**70), st.text(max_size=6), st.booleans(), st.just(pd.NA),
    st.just(pd.NaT),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=3), st.tuples(st.floats(), st.floats())), max_size=3),
    st.dictionaries(
        st.sampled_from(["start", "end", "modality"]), st.one_of(st.none(), st.floats(), st.text(max_size=3))
    ),
)  # fmt: skip
_NAMES = (
    "label", "component", "generator", "split", "file", "path", "original", "face_id", "voice_id", "source_ids", "id",
    "audio_label", "video_label", "sync_mismatch", "segments", "seconds", "text", "language", "n_frames", "conflict",
    "sha256", "demog.age", "table",
)  # fmt: skip
_CUES = (
    "container.streams", "time.n_frames", "time.audio_duration", "rate.file_size", "print_video", "print_audio",
    "hash_video",
)  # fmt: skip


@given(st.data(), st.integers(0, 5))
def test_no_table_whatsoever_ends_in_a_crash(data: st.DataObject, n: int) -> None:
    from cmdfd.audit.setcues import set_cues

    def columns(names: tuple[str, ...]) -> pd.DataFrame:
        chosen = data.draw(st.lists(st.sampled_from(names), unique=True))
        cells = {k: pd.Series(data.draw(st.lists(_CELLS, min_size=n, max_size=n)), dtype=object) for k in chosen}
        return pd.DataFrame(cells, index=range(n))

    trial = target()
    object.__setattr__(trial, "clips", columns(_NAMES))
    found = set_checks(trial, columns(_CUES))
    assert [*itertools.chain(one.sentence[-1] for one in found)] == ["."] * len(found)
    assert all(one.severity in SEVERITIES and one.remedy and len(one.examples) <= 5 for one in found)
    assert len(set_cues(trial)) == n


def test_a_table_that_cannot_be_matched_is_refused_by_name() -> None:
    trial = target(label=[0, 1, 1])
    with pytest.raises(ValueError, match="has 2 rows and the target 3"):
        set_checks(trial, pd.DataFrame({"x": [1, 2]}, index=[8, 9]))
    part = set_checks(trial, pd.DataFrame({"container.streams": ["va", "v"]}, index=[0, 2]))
    assert any(one.name == "set.single_clip" for one in part)
