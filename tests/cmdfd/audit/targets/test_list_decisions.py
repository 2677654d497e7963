"""What is decided about a list, what is told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from published_lists import counts, cues, well_formed, write

from cmdfd.audit.targets.opening import TargetOptions, open_target
from cmdfd.audit.targets.target import FACT_COLUMNS
from cmdfd.errors import CmdfdError

# ---- options and decisions


@pytest.mark.parametrize(
    ("column", "values", "fakes"),
    [
        ("is_fake", ["1", "0"], "1"), ("fake", ["True", "False"], "True"), ("is_real", ["1", "0"], "0"),
        ("bonafide", ["yes", "no"], "no"), ("label", ["1.0", "0.0"], "1.0"),
        ("class", ["Deepfake", "Original"], "Deepfake"),
        ("Ground Truth", ["Fake", "Real"], "Fake"), ("key", ["spoof", "bonafide"], "spoof"),
        ("whatever", ["manipulated", "pristine"], "manipulated"),
        ("type", ["FakeVideo-RealAudio", "RealVideo-RealAudio"], "FakeVideo-RealAudio"),
    ],
)  # fmt: skip
def test_label_columns_by_name_and_values(tmp_path: Path, column: str, values: list[str], fakes: str) -> None:
    table = write(tmp_path / "a.csv", f"clip,{column}", *(f"{k:03d}x.mp4,{values[k % 2]}" for k in range(20)))
    clips = open_target([table]).clips
    assert clips["label"].tolist() == [float(values[k % 2] == fakes) for k in range(20)]


def test_generators_and_classes_in_one_column(tmp_path: Path) -> None:
    table = write(
        tmp_path / "a.csv",
        "clip,method,note",
        *(f"{k}.mp4,{('real', 'zeta', 'eta', 'theta')[k % 4]},{k % 3}" for k in range(40)),
    )
    target = open_target([table])
    assert counts(target) == (10, 30) and set(target.clips["generator"]) == {"", "zeta", "eta", "theta"}
    assert cues(target) == {"column.note"}


def test_undecided_labels_are_refused_with_what_to_type(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "clip,group_of,colour", *(f"{k}.mp4,{k % 3},{'ab'[k % 2]}" for k in range(20)))
    with pytest.raises(CmdfdError) as caught:
        open_target([table])
    text = str(caught.value)
    assert "'colour': 'a', 'b'" in text and "--label-column" in text and "--fake-values" in text
    target = open_target([table], TargetOptions(label_column="Colour", fake_values=("b",)))
    assert counts(target) == (10, 10)
    with pytest.raises(CmdfdError, match="--fake-values"):
        open_target([table], TargetOptions(label_column="colour"))
    with pytest.raises(CmdfdError, match="never holds 'c'"):
        open_target([table], TargetOptions(label_column="colour", fake_values=("c",)))
    with pytest.raises(CmdfdError, match=r"no column 'color'.*did you mean 'colour'"):
        open_target([table], TargetOptions(label_column="color"))


def test_an_assumed_label_says_so(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "clip,label", *(f"{k}.mp4,{k % 2}" for k in range(20)))
    target = open_target([table])
    assert any("was assumed" in note and "--fake-values 0" in note for note in target.notes)
    swapped = open_target([table], TargetOptions(fake_values=("0",)))
    assert (swapped.clips["label"] == 1 - target.clips["label"]).all()


def test_two_columns_that_disagree_are_refused(tmp_path: Path) -> None:
    table = write(
        tmp_path / "a.csv",
        "clip,one,two",
        *(f"{k}.mp4,{('real', 'fake')[k % 2]},{('real', 'fake')[k % 3 == 0]}" for k in range(20)),
    )
    with pytest.raises(CmdfdError, match="disagree"):
        open_target([table])
    assert counts(open_target([table], TargetOptions(label_column="one"))) == (10, 10)


def test_named_columns_and_ignored_ones(tmp_path: Path) -> None:
    rows = (f"{k}.mp4,{('real', 'fake')[k % 2]},h{k % 30},p{k % 2},s{k % 3},{k * 3},{k * 2}" for k in range(120))
    table = write(tmp_path / "a.csv", "clip,label,house,program,part,x,y", *rows)
    options = TargetOptions(
        group_column="house", generator_column="program", split_column="part", ignore_columns=("y",)
    )
    target = open_target([table], options)
    well_formed(target)
    assert target.clips["component"].nunique() == 30 and set(target.clips["generator"]) == {"", "p1"}
    assert set(target.clips["split"]) == {"s0", "s1", "s2"} and cues(target) == {"column.x"}


def test_columns_that_tell_the_class_are_no_cues(tmp_path: Path) -> None:
    header = "clip,label,attack_type,audio_fake,n_fakes,mask_path,comment,edition,fps,language,score"
    rows = [
        f"{k}.mp4,fake,zeta,1,2,m/x/{k}.png,a fake one,{k % 3},25,en,{k / 100}"
        if k % 2
        else f"{k}.mp4,real,,0,0,,,,{25 + k % 2},de,{k / 100}"
        for k in range(40)
    ]
    target = open_target([write(tmp_path / "a.csv", header, *rows)])
    well_formed(target)
    assert cues(target) == {"time.fps", "demog.language"}
    assert any("'edition' is filled in for fakes only" in note for note in target.notes)
    assert set(target.clips["generator"]) == {"", "zeta"}


def test_clips_without_people_and_with_pairs_by_name(tmp_path: Path) -> None:
    lonely = write(tmp_path / "a.csv", "clip,label", *(f"{k:03d}q.mp4,{('real', 'fake')[k % 2]}" for k in range(30)))
    target = open_target([lonely])
    assert target.clips["component"].nunique() == 30 and any("a person of its own" in note for note in target.notes)
    rows = [f"real/anna_{k:02d}.mp4,real" for k in range(30)] + [f"fake/anna_{k:02d}_zeta.mp4,fake" for k in range(30)]
    target = open_target([write(tmp_path / "b.csv", "clip,label", *rows)])
    assert target.clips["component"].nunique() == 30 and (target.clips.groupby("component").size() == 2).all()


@pytest.mark.parametrize(
    ("real", "fake", "components"),
    [
        ("original/{a:03d}.mp4", "fake/Deepfakes/{a:03d}_{b:03d}.mp4", 30),  # FaceForensics++
        ("Celeb-real/id{a}_0001.mp4", "Celeb-synthesis/id{a}_id{b}_0001.mp4", 30),
        ("real/{a:02d}__talking.mp4", "fake/{a:02d}_{b:02d}__talking__XYZ.mp4", 30),  # DFD
        ("real/id{a:05d}/v/1.mp4", "fake/id{a:05d}/v/1_id{b:05d}.mp4", 30),
    ],
)
def test_people_in_names(tmp_path: Path, real: str, fake: str, components: int) -> None:
    rows = [f"{real.format(a=k)},0" for k in range(60)] + [f"{fake.format(a=k, b=k ^ 1)},1" for k in range(60)]
    clips = open_target([write(tmp_path / "a.csv", "path,label", *rows)]).clips
    assert clips["component"].nunique() == components
    assert (clips.groupby("component").size() == 4).all()


def test_facts_are_documented() -> None:
    assert {"sync_mismatch", "identity_mismatch"} <= set(FACT_COLUMNS) and len(set(FACT_COLUMNS)) == len(FACT_COLUMNS)


def test_media_of_a_list(tmp_path: Path) -> None:
    for k in range(6):
        write(tmp_path / "here" / "sub" / f"{k}.mp4", "x")
    rows = [f"/data/them/sub/{k}.mp4,{k % 2}" for k in range(6)]
    table = write(
        tmp_path / "a.csv",
        "path,label,width",
        *[f"{row},640" for row in rows],
        "/data/them/sub/9.mp4,1,640",
        "../../etc/x.mp4,1,640",
    )
    target = open_target([table], TargetOptions(media_root=tmp_path / "here"))
    assert target.has_media and (target.clips["path"] != "").sum() == 6
    assert [name for name, _ in target.unread] == ["/data/them/sub/9.mp4", "../../etc/x.mp4"]
    assert "column.width" in cues(target)  # the measured width is another cue
    assert not open_target([table]).has_media
    with pytest.raises(CmdfdError, match="holds none of the listed files"):
        open_target([table], TargetOptions(media_root=tmp_path / "here" / "sub" / ".." / ".." / ".."))
    with pytest.raises(CmdfdError, match="not a folder"):
        open_target([table], TargetOptions(media_root=tmp_path / "nowhere"))


def test_a_word_in_every_path_turns_no_label_round(tmp_path: Path) -> None:
    rows = (f"real_world/{k}.mp4,{int(k % 10 > 0)}" for k in range(50))  # nine of ten are fakes
    target = open_target([write(tmp_path / "a.csv", "path,label", *rows)])
    assert target.clips["label"].sum() == 45 and any("was assumed" in note for note in target.notes)
    only = open_target([write(tmp_path / "b.csv", "path,label", *(f"real_world/{k}.mp4,1" for k in range(9)))])
    assert (only.clips["label"] == 1).all()


def test_values_that_say_nobody_knows(tmp_path: Path) -> None:
    words = ("real", "fake (made here)", "unknown (may be TTS)", "real?")
    table = write(tmp_path / "a.csv", "path,real_or_synthetic", *(f"{k}.mp4,{words[k % 4]}" for k in range(20)))
    target = open_target([table])
    assert counts(target) == (5, 5) and any("= unknown" in note for note in target.notes)


def test_a_label_that_names_both_streams(tmp_path: Path) -> None:
    kinds = ("RealVideo-RealAudio", "RealVideo-FakeAudio", "FakeVideo-RealAudio", "FakeVideo-FakeAudio")
    table = write(
        tmp_path / "a.csv", "path,filename,type", *(f"d/{kinds[k % 4]},{k}.mp4,{kinds[k % 4]}" for k in range(40))
    )
    clips = open_target([table]).clips
    assert clips["label"].sum() == 30 and clips["audio_label"].sum() == 20 and clips["video_label"].sum() == 20
    assert clips["modality"].value_counts().to_dict() == {"": 10, "audio": 10, "video": 10, "audiovisual": 10}
