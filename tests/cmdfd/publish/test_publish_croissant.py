"""croissant.json: valid for mlcroissant, readable from the folder, with the audit's biases and nothing withheld."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlcroissant as mlc
import pytest
from card_sets import HOSTILE, PART, SWAP, checked_of, files_of, report_of, staged_of, write_set

from cmdfd.audit.report import biases
from cmdfd.clip import Rights
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.croissant import validate
from cmdfd.publish.documents import write_documents
from cmdfd.publish.records import Repo, Staged
from cmdfd.publish.words import CardWords, Change
from cmdfd.tables import LABEL_COLUMNS, read_table

REPO = Repo("lab/toy-set", "v1.2.0")
WORDS = CardWords(
    summary="For tests.", citation="Toy et al.", limits="Few people.", intended_use="Testing.", maintainers=("Desk",),
    collection="By phone.", social_impact="Little.", personal_data="No names.", takedown_days=9, maintenance="Always.",
    changes=(Change(version="v1.2.0", date="2026-11-27", what="first"),),
)  # fmt: skip


def described(
    dataset: Dataset, folder: Path, words: CardWords = WORDS, layout: str = "videofolder"
) -> tuple[Path, dict[str, Any], Staged]:
    staged = staged_of(dataset, folder, layout)
    write_documents(dataset, staged, checked_of(dataset), REPO, words, framework=None)
    path = staged.folder / "croissant.json"
    return path, json.loads(path.read_text("utf-8")), staged


def text_of(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def records(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """Records by id, fields by their names without the record set's."""
    found = {}
    for record in mlc.Dataset(jsonld=str(path)).records(name):
        row = {key.removeprefix(f"{name}/"): value for key, value in record.items()}
        found[text_of(row["id"])] = row
    return found


def test_valid_without_errors_and_warnings(tmp_path: Path) -> None:
    path, found, _ = described(write_set(tmp_path / "home"), tmp_path / "out")
    assert validate(path) == ()
    assert found["version"] == "1.2.0" and found["license"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert found["url"] == "https://huggingface.co/datasets/lab/toy-set"
    assert found["isAccessibleForFree"] is True and "Gated" in found["conditionsOfAccess"]
    assert found["datePublished"].startswith("2026-11-27") and found["citeAs"] == "Toy et al."


def test_what_nobody_said_is_a_warning_not_an_invention(tmp_path: Path) -> None:
    path, found, _ = described(write_set(tmp_path / "home"), tmp_path / "out", CardWords())
    assert sorted(one.rsplit('"', 2)[1].rsplit("/", 1)[1] for one in validate(path)) == ["citeAs", "datePublished"]
    assert "rai:dataUseCases" not in found and "rai:dataSocialImpact" not in found
    assert "to be filled" not in path.read_text()


def test_responsible_fields_are_facts_words_and_the_audit(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home")
    path, _, _ = described(dataset, tmp_path / "out")
    metadata = mlc.Dataset(jsonld=str(path)).metadata
    assert metadata.data_biases == [biases(report_of(dataset))]
    assert "3 in train and 3 in test" in metadata.data_limitations[0] and metadata.data_limitations[-1] == "Few people."
    assert metadata.data_use_cases == ["Testing."] and metadata.data_collection == "By phone."
    assert "consent: given" in metadata.personal_sensitive_information[0]
    assert metadata.data_social_impact == "Little." and "within 9 days" in metadata.data_release_maintenance_plan
    assert "generator face_part 3" in metadata.machine_annotation_tools
    assert metadata.data_preprocessing_protocol


def test_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    _, found, staged = described(write_set(tmp_path / "home"), tmp_path / "out")
    known = {file.path: file for file in files_of(staged.folder)}
    objects = {one["@id"]: one for one in found["distribution"] if one["@type"] == "cr:FileObject"}
    assert {"audit.json", "build.json", "provenance.parquet", "train/metadata.parquet", "test/labels.parquet"} <= set(
        objects
    )
    for name, one in objects.items():
        assert (one["sha256"], one["contentSize"]) == (known[name].sha256, f"{known[name].size} B")
    globs = [glob for one in found["distribution"] if one["@type"] == "cr:FileSet" for glob in [one["includes"]]]
    matched = {path.relative_to(staged.folder).as_posix() for glob in globs for path in staged.folder.glob(glob)}
    assert matched | set(objects) == set(known) - {"README.md", "croissant.json", "LICENSE"}


@pytest.mark.parametrize("layout", ["videofolder", "parquet", "webdataset"])
def test_records_are_the_rows_of_the_tables(tmp_path: Path, layout: str) -> None:
    dataset = write_set(tmp_path / "home", people=2, sham=False, fakes=(replace(SWAP, variants=("",)), PART))
    path, _, _ = described(dataset, tmp_path / "out", layout=layout)
    assert validate(path) == ()
    for split in dataset.splits:
        found = records(path, split)
        rows = {row["id"]: row for row in read_table(dataset.folder / split / "metadata.parquet")}
        assert set(found) == set(rows)
        for name, row in rows.items():
            mine = found[name]
            assert (mine["label"], mine["sync_mismatch"]) == (row["label"], row["sync_mismatch"])
            assert text_of(mine["kind"]) == row["kind"] and text_of(mine["component"]) == row["component"]
            assert [text_of(one) for one in mine["source_ids"]] == row["source_ids"]
            segments = [{key.rsplit("/", 1)[1]: text_of(one) for key, one in part.items()} for part in mine["segments"]]
            assert segments == row["segments"]
            assert (mine["mask"] is None) == (row["mask"] is None)
            if layout != "webdataset":
                assert mine["fps"] == 25.0 and mine["n_frames"] == 75


def test_withheld_columns_are_no_fields(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home", people=2, sham=False, withheld=("test",))
    path, found, _ = described(dataset, tmp_path / "out")
    fields = {one["@id"]: {field["name"] for field in one["field"]} for one in found["recordSet"]}
    assert set(LABEL_COLUMNS) <= fields["train"] and not set(LABEL_COLUMNS) & fields["test"]
    assert set(records(path, "test")) == {clip.id for clip in dataset.clips("test")}
    assert validate(path) == ()


def test_hostile_names_are_data(tmp_path: Path) -> None:
    evil = replace(SWAP, kind=HOSTILE, generator=HOSTILE, variants=(HOSTILE,))
    dataset = write_set(tmp_path / "home", name=HOSTILE, fakes=(evil,), rights=(Rights(HOSTILE, "given"),))
    path, found, _ = described(dataset, tmp_path / "out")
    assert validate(path) == ()
    assert "\u202e" not in found["description"] and "\x1b" not in path.read_text()
    assert found["license"] == "https://huggingface.co/datasets/lab/toy-set/blob/v1.2.0/LICENSE"
    kinds = {text_of(row["kind"]) for row in records(path, "train").values()}
    assert kinds == {"real", HOSTILE}


def test_validate_tells_what_is_wrong(tmp_path: Path) -> None:
    path, found, _ = described(write_set(tmp_path / "home"), tmp_path / "out")
    found["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "nowhere.parquet"
    path.write_text(json.dumps(found))
    with pytest.raises(CmdfdError, match="nowhere"):
        validate(path)
