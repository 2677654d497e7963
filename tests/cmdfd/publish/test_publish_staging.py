from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from public_set import RECIPE, SOURCES, change_build, change_clips, change_provenance, copy_of, write_public_set

from cmdfd.dataset import BUILD_FILE, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.public_tables import TOMBSTONES, WITHHELD_KIND
from cmdfd.publish.records import RefusedError, Staged
from cmdfd.publish.scrub import PLACE, Private, clean_record, clean_row, private_of
from cmdfd.publish.staging import stage, staged_files
from cmdfd.publish.sweep import sweep
from cmdfd.tables import LABEL_COLUMNS, read_table, schema, write_table


@pytest.fixture
def folder(public_set: Dataset, tmp_path: Path) -> Path:
    return copy_of(public_set, tmp_path / "toy")


def cells(value: Any) -> Iterator[str]:
    """Every text in a nested value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from cells(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from cells(inner)


def texts_of(folder: Path) -> str:
    """Everything readable in a folder, tables included, read without the code under test."""
    said = []
    for path in folder.rglob("*"):
        said.append(path.relative_to(folder).as_posix())
        if path.suffix == ".parquet":
            said.append(str(pq.read_schema(path)))
            said += cells(pq.read_table(path, partitioning=None).to_pylist())
        elif path.suffix in (".json", ".yaml", ".md"):
            said.append(path.read_text())
    return "\n".join(said)


def names(staged: Staged) -> set[str]:
    return {file.path for file in staged.files}


def test_a_public_copy_holds_exactly_what_goes_public(folder: Path, tmp_path: Path) -> None:
    data = Dataset.open(folder)
    staged = stage(data, tmp_path / "out")
    media = {name for clip in data.rows for name in (clip.file, clip.mask, clip.tracks) if name is not None}
    tables = {f"{split}/{name}.parquet" for split in ("train", "test") for name in ("metadata", "labels")}
    assert names(staged) == media | tables | {"build.json", "provenance.parquet", "stages.parquet"}
    assert (staged.name, staged.layout, staged.withheld, staged.recipe_only) == ("toy", "videofolder", (), False)
    assert {"journal.jsonl", "refused.parquet", "sheets"} == {name for name, _ in staged.kept_home}
    assert staged.files == staged_files(tmp_path / "out") and staged.size > 10_000
    public = Dataset.open(staged.folder)
    assert public.verify().n_files == len(media) and public.manifest_sha256 == data.manifest_sha256
    for name in media:
        assert (staged.folder / name).samefile(folder / name)  # a link, so its bytes are the same


def test_the_same_bytes_every_time_and_links_where_a_file_system_has_none(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stage(Dataset.open(folder), tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("of an earlier run")
    again = stage(Dataset.open(folder), tmp_path / "out")

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    copied = stage(Dataset.open(folder), tmp_path / "other" / "place")
    assert first.files == again.files == copied.files
    name = Dataset.open(folder).rows[0].file
    assert not (copied.folder / name).samefile(folder / name)
    assert not list(tmp_path.glob(".*.part"))


def test_nothing_private_goes_out(folder: Path, tmp_path: Path) -> None:
    staged = stage(Dataset.open(folder), tmp_path / "out")
    said = texts_of(staged.folder)
    assert "a.mp4" not in said  # a recording below that folder
    for word in (SOURCES, "anna maier", "argv", str(folder), str(Path.home()) + "/", "annas-computer"):
        assert word not in said
    recipe = json.loads((staged.folder / BUILD_FILE).read_text())["recipe"]
    assert recipe == {**RECIPE, "source": {"kind": "folder", "options": {"folder": PLACE, "csv": PLACE}}}
    assert json.loads(read_table(staged.folder / "provenance.parquet")[0]["details"]) == {"edit_list": {"edits": []}}


PARTS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 _-.äß", min_size=1, max_size=12).map(
    lambda text: f"q{text.strip()}z"
)
PLACES = st.one_of(
    st.lists(PARTS, min_size=2, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: "C:\\" + "\\".join(parts)),
    st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: "~/" + "/".join(parts)),
)
AROUND = st.sampled_from(["{}", "cannot read {}", "'{}'", '["{}"]', "in={}, out=x", "file {}: broken", "({})"])


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(PLACES, AROUND, st.sampled_from(["take", "details", "transcript", "operations"]))
def test_no_cell_and_no_text_holds_the_sources_folder(
    folder: Path, tmp_path: Path, place: str, around: str, column: str
) -> None:
    text = around.format(f"{place}")

    def spoil(row: dict[str, Any]) -> dict[str, Any]:
        told = json.dumps({"said": text, "source": {"file": place}}) if column == "details" else text
        return row | {column: [told] if column == "operations" else told}

    change_provenance(folder, spoil)
    source = {"kind": "folder", "options": {"folder": place, "csv": f"{place}/a.csv"}}
    change_build(folder, recipe=RECIPE | {"source": source}, notes=[text, f"by anna@lab.example.org at {place}"])
    staged = stage(Dataset.open(folder), tmp_path / "out")
    said = texts_of(staged.folder)
    assert place not in said and json.dumps(place)[1:-1] not in said
    assert "anna@lab" not in said
    assert Dataset.open(staged.folder).verify().n_clips == 32


@given(PLACES, AROUND)
def test_what_is_cleaned_is_found_no_more(place: str, around: str) -> None:
    private = Private((place,), ("annamaria",))
    text = around.format(place) + " by annamaria of annamaria@web.de at +48.1372+011.5755/"
    assert private.found(text)
    cleaned = private.clean(text)
    assert place not in cleaned and "annamaria" not in cleaned and "48.1372" not in cleaned
    assert private.found(cleaned) == ()
    row = clean_row({"a": text, "b": [{"c": text}], "d": json.dumps({"host": "x", "e": [text]}), "n": 1.5}, private)
    assert not private.found(" ".join(cells(row))) and row["n"] == 1.5 and "host" not in row["d"]


@pytest.mark.parametrize(
    "text",
    [
        "fps=25/1:round=near[s1];[s1]scale=640:360", "video/mp4", "lips/cross", "https://example.org/a/b",
        "1/2 and 3/4",
        "CC-BY-4.0",
        "videos/000/ab.mp4", "The cat sat. And/or not?", "talker-4600023a9739-voice", "n9.0.2-17-g2a571b6068",
        "-map [s6] -i SOURCE OUT -y", "<local>/x", "12:30", "a@b", "+3.14", "AUC 0.62 [0.51, 0.72]",
    ],
)  # fmt: skip
def test_what_is_not_private_is_left_alone(text: str) -> None:
    private = private_of(Path("/srv/sets/toy"), [RECIPE])
    assert private.found(text) == () and private.clean(text) == text


def test_login_host_and_home_of_this_machine_are_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "amaier")
    monkeypatch.setattr(socket, "gethostname", lambda: "deepthought.lab")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/amaier"))
    private = private_of(Path("sets/toy"), [])
    assert set(private.names) == {"amaier", "deepthought", "deepthought.lab"}
    assert private.found("on deepthought by amaier") and not private.found("the deepthoughts of amaierova")
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    assert "root" not in private_of(Path("sets/toy"), []).names  # a word of the language, and nobody's name
    told = {"folder": "clips of anna", "csv": None, "name": "clips of anna"}  # a place that does not look like one
    assert clean_record(told, private) == {"folder": PLACE, "csv": None, "name": "clips of anna"}
    assert clean_record({"user": "amaier", "x": {"pid": 3, "y": ["amaier"]}}, private) == {"x": {"y": ["<name>"]}}


def test_what_is_left_is_refused(folder: Path, tmp_path: Path) -> None:
    """The sweep reads what the copy holds, whoever wrote it."""
    staged = stage(Dataset.open(folder), tmp_path / "out")
    private, public = private_of(folder, [RECIPE]), Dataset.open(staged.folder)
    assert sweep(staged.folder, private, public) == []
    (staged.folder / "note.md").write_text("fine\nsee /home/anna/x and anna@web.de\n")
    write_table(staged.folder / "more.parquet", [{"a": ["b", "D:\\clips\\x"]}], schema({"a": "strings"}))
    np.savez(staged.folder / "arrays.npz", text=np.array(["/mnt/disk/x"]))
    found = sweep(staged.folder, private, public)
    assert {one.code for one in found} == {"personal_data"}
    assert {one.where for one in found} == {"note.md: line 2", "more.parquet: column 'a', row 0", "arrays.npz: text"}


def withheld_set(folder: Path) -> Dataset:
    return change_clips(folder, lambda clip: clip, ["test"])


def test_nothing_tells_of_withheld_labels(folder: Path, tmp_path: Path) -> None:
    home = withheld_set(folder)
    write_table(folder / TOMBSTONES, [{"id": "gone", "state": "withdrawn", "version": "v1", "why": "asked"}], schema(
        {"id": "string", "state": "string", "version": "string", "why": "string"}))  # fmt: skip
    staged = stage(home, tmp_path / "out")
    hidden = {clip.id: clip for clip in home.clips("test")}
    opened = home.clips("train")
    assert names(staged) == {
        *(clip.file for clip in home.rows), *(clip.tracks for clip in opened if clip.tracks),
        *(clip.mask for clip in opened if clip.mask), "train/metadata.parquet", "train/labels.parquet",
        "test/metadata.parquet", "build.json", "provenance.parquet", "stages.parquet", TOMBSTONES,
    }  # fmt: skip
    rows = read_table(staged.folder / "test/metadata.parquet")
    assert {row["id"] for row in rows} == set(hidden)
    for row in rows:
        assert all(row[name] is None for name in (*LABEL_COLUMNS, "tracks")) and row["tracks_sha256"] == ""
    for path in staged.folder.rglob("*"):
        inside = path.read_bytes() if path.is_file() and path.name != "metadata.parquet" else b""
        assert path.stem not in hidden or path.parent == staged.folder / "test/videos/000"
        if path.suffix == ".parquet" and inside:
            said = set(cells(read_table(path)))
            assert not said & set(hidden) and "test" not in said
    build = json.loads((staged.folder / BUILD_FILE).read_text())
    assert build["counts"] == {"train": {"lips": 8, "real": 8}, "test": {WITHHELD_KIND: 16}}
    assert build["recipe"] == {} and build["recipe_hash"] == "" and build["refused"] == {} and build["notes"] == []
    assert build["audit"] == {"status": "passed"}
    provenance = read_table(staged.folder / "provenance.parquet")
    assert len(provenance) == 16 and all(row["seed"] is None and row["job"] is None for row in provenance)
    assert read_table(staged.folder / TOMBSTONES) == [{"id": "gone", "state": "withdrawn", "version": "v1"}]
    told = dict(staged.kept_home)
    assert {"test/labels.parquet", "masks of test", "tracks of test"} <= set(told) and staged.withheld == ("test",)
    public = Dataset.open(staged.folder)
    assert public.verify().n_clips == 32 and {clip.labels.label for clip in public.clips("test")} == {None}


def features(folder: Path, clip_id: str, row: dict[str, Any]) -> list[float]:
    """Everything that a public copy says of a clip: all columns, and what lies anywhere under its name."""
    shown = [name for name in sorted(row) if name not in ("id", "file_name", "sha256")]
    texts = [None if row[name] is None else json.dumps(row[name], default=str) for name in shown]
    words = [-1 if text is None else crc32(text.encode()) % 997 for text in texts]
    paths = [path for path in folder.rglob("*") if path.stem == clip_id]
    return [*map(float, words), float(len(paths)), *(float(ord(sign)) for sign in clip_id)]


@pytest.mark.slow
def test_trees_learn_nothing_from_a_copy_with_withheld_labels(tmp_path: Path) -> None:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import GroupKFold, cross_val_predict

    home = withheld_set(write_public_set(tmp_path / "toy", people=60).folder)
    staged = stage(home, tmp_path / "out")

    def score(folder: Path) -> float:
        rows = {row["id"]: row for row in read_table(folder / "test/metadata.parquet")}
        table = np.array([features(folder, clip.id, rows[clip.id]) for clip in home.clips("test")])
        truth = np.array([clip.labels.label for clip in home.clips("test")])
        people = [clip.face_id for clip in home.clips("test")]
        trees = ExtraTreesClassifier(200, random_state=0)
        guesses = cross_val_predict(trees, table, truth, groups=people, cv=GroupKFold(5))
        return float((guesses == truth).mean())

    assert abs(score(staged.folder) - 0.5) < 0.15
    assert score(home.folder) > 0.95  # masks at home tell


def test_the_recipe_alone(folder: Path, tmp_path: Path) -> None:
    staged = stage(Dataset.open(folder), tmp_path / "out", recipe_only=True)
    assert staged.recipe_only and names(staged) == {
        "REBUILD.md", "build.json", "provenance.parquet", "recipe.yaml", "stages.parquet", "test/labels.parquet",
        "test/metadata.parquet", "train/labels.parquet", "train/metadata.parquet",
    }  # fmt: skip
    rows = read_table(staged.folder / "test/metadata.parquet")
    home = {clip.id: clip for clip in Dataset.open(folder).clips("test")}
    assert {row["id"]: row["sha256"] for row in rows} == {name: clip.sha256 for name, clip in home.items()}
    assert all(row["mask"] is None and row["tracks"] is None for row in rows)
    assert {row["mask_sha256"] for row in rows if row["label"]} == {c.mask_sha256 for c in home.values() if c.mask}
    assert json.loads((staged.folder / "recipe.yaml").read_text())["source"]["options"]["folder"] == PLACE
    text = (staged.folder / "REBUILD.md").read_text()
    assert "python -m generators.build recipe.yaml" in text and "av 1" in text
    hidden = stage(withheld_set(folder), tmp_path / "hidden", recipe_only=True)
    assert "recipe.yaml" not in names(hidden)
    assert "cannot be built again from this copy" in (hidden.folder / "REBUILD.md").read_text()


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_other_layouts_are_made_of_the_public_copy(folder: Path, tmp_path: Path, layout: Any) -> None:
    pytest.importorskip("datasets")
    home = withheld_set(folder)
    staged, again = stage(home, tmp_path / "out", layout), stage(home, tmp_path / "again", layout)
    assert staged.files == again.files and staged.layout == layout
    assert "test/labels.parquet" not in names(staged) and "build.json" in names(staged)
    assert any(name.startswith("data/test-") for name in names(staged))
    assert "anna maier" not in texts_of(staged.folder)


def test_what_changed_since_the_checks_is_refused(folder: Path, tmp_path: Path) -> None:
    data = Dataset.open(folder)
    victim = folder / data.rows[0].file
    content = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(content[:-1] + b"x")
    with pytest.raises(RefusedError, match=r"changed_file: .*bytes changed.*fix:"):
        stage(data, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.part"))
    victim.unlink()
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(content)
    victim.symlink_to(outside)
    with pytest.raises(RefusedError, match="leads out of the set's folder"):
        stage(data, tmp_path / "out")


def test_a_folder_of_somebody_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    data = Dataset.open(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for place, told in (
        (tmp_path / "mine", "did not make"), (tmp_path / "link", "a file or link"), (folder, "must lie outside"),
        (folder / "public", "must lie outside"), (tmp_path, "must lie outside"),
        (tmp_path / "mine" / "thesis.txt", "a file or link"),
    ):  # fmt: skip
        with pytest.raises(CmdfdError, match=told):
            stage(data, place)
    with pytest.raises(CmdfdError, match="known: videofolder"):
        stage(data, tmp_path / "out", "zip")  # type: ignore[arg-type]
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_set_without_its_masks_and_side_tables_goes_too(folder: Path, tmp_path: Path) -> None:
    for name in ("provenance.parquet", "stages.parquet"):
        (folder / name).unlink()
    for clip in Dataset.open(folder).rows:
        if clip.mask:
            (folder / clip.mask).unlink()
    data = change_clips(folder, lambda clip: replace(clip, mask=None, mask_sha256=""))
    staged = stage(data, tmp_path / "out")
    assert not any(name.startswith("masks") or "provenance" in name for name in names(staged))
    assert Dataset.open(staged.folder).verify().n_files == 64
