"""The card says what the tables and the audit say, leaves the rest visibly blank, and is broken by no name."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from card_sets import HOSTILE, PART, SWAP, checked_of, files_of, finding, report_of, staged_of, write_set
from huggingface_hub import DatasetCard, metadata_load

from cmdfd.audit.records import Controls
from cmdfd.audit.report import read_report
from cmdfd.clip import Rights
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.card import size_category, template_path
from cmdfd.publish.documents import write_documents
from cmdfd.publish.licences import HUB_LICENCES, hub_licence, licence_ledger
from cmdfd.publish.records import Checked, Repo, Staged
from cmdfd.publish.words import CardWords, Change
from cmdfd.report.text import clean, with_interval

REPO = Repo("lab/toy-set")
ALL_WORDS = CardWords(
    title="Toy set", summary="Made for *tests*.", languages=("de",), collection="By phone.", intended_use="Testing.",
    social_impact="Little.", prohibited="none", limits="Few people.", traces="They follow from the mouth.",
    predictions="https://board.example", personal_data="No names.", citation="@misc{toy, title={Toy}}",
    contact="Data desk, desk@lab.example", maintainers=("The desk",), takedown_days=7, maintenance="Two years.",
    overrides_by="the board of ethics", changes=(Change(version="v1.0.0", date="2026-11-27", what="first | release"),),
)  # fmt: skip


def written(
    dataset: Dataset, folder: Path, words: CardWords | None = None, checked: Checked | None = None, **options: object
) -> tuple[str, tuple[str, ...], Staged]:
    staged = staged_of(dataset, folder, options.pop("layout", "videofolder"))
    repo = options.pop("repo", REPO)
    blanks = write_documents(
        dataset, staged, checked or checked_of(dataset), repo, words or CardWords(), framework=None
    )  # type: ignore[arg-type]
    return (staged.folder / "README.md").read_text("utf-8"), blanks, staged


def table(text: str, first: str) -> list[list[str]]:
    """Rows of the Markdown table whose first column is headed so."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blanks_in(text: str) -> list[str]:
    return re.findall(r"\[to be filled: ([^\]]*)\]", text)


def test_every_blank_is_visible_and_returned(tmp_path: Path) -> None:
    text, blanks, _ = written(write_set(tmp_path / "home"), tmp_path / "out")
    assert list(dict.fromkeys(blanks_in(text))) == list(blanks)
    assert len(blanks) >= 10
    assert "languages that are spoken (languages)" in blanks
    assert "a person or role with an address that is read (contact)" in blanks
    assert all(re.search(r" \((\w+)\)$", one)[1] in CardWords.model_fields for one in blanks)  # type: ignore[index]


def test_a_card_with_all_words_has_no_blank(tmp_path: Path) -> None:
    text, blanks, _ = written(write_set(tmp_path / "home"), tmp_path / "out", ALL_WORDS)
    assert blanks == () and "to be filled" not in text
    for said in ("Made for *tests*.", "By phone.", "desk@lab.example", "within 7 days", "@misc{toy, title={Toy}}"):
        assert said in text
    assert table(text, "Version") == [["v1.0.0", "2026-11-27", "first \\| release", "0"]]


def test_all_sections_of_a_responsible_release_are_there(tmp_path: Path) -> None:
    text, _, _ = written(write_set(tmp_path / "home"), tmp_path / "out")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Description", "Structure", "Generation and provenance", "Audit results", "Intended use", "Prohibited use",
        "Consent and licences of the sources", "Limits", "Versions and changelog", "Citation", "Contact and takedown",
    ]  # fmt: skip


def test_numbers_are_those_of_the_tables(tmp_path: Path) -> None:
    import pandas as pd

    text, _, staged = written(write_set(tmp_path / "home", people=4), tmp_path / "out")
    tables = {split: pd.read_parquet(staged.folder / split / "metadata.parquet") for split in ("train", "test")}
    for row in table(text, "Split"):
        rows = tables[row[0]]
        expected = [len(rows), (rows.label == 0).sum(), (rows.label == 1).sum()]
        expected += [rows[name].nunique() for name in ("component", "face_id", "voice_id")]
        assert [int(cell) for cell in row[1:7]] == expected
    everything = pd.concat(tables.values())
    kinds = {row[0]: row for row in table(text, "Kind")}
    assert {kind: int(row[5]) for kind, row in kinds.items()} == dict(
        everything[everything.label == 1].kind.value_counts()
    )
    assert kinds["audio/swap"][1:5] == [
        "audio/swap 3",
        "fit of sound and picture",
        "the whole clip",
        "40 ms, 80 ms and 160 ms",
    ]
    assert kinds["face/part"][1:4] == ["face\\_part 3", "picture; whose face and voice", "1.0 s at a time"]
    assert kinds["face/part"][7] == "MIT"
    for row in table(text, "Licence"):
        mine = everything[everything.licence == row[0]]
        assert [int(cell) for cell in row[3:]] == [
            len(mine),
            mine.source_ids.explode().nunique(),
            mine.face_id.nunique(),
        ]
    assert "no face, voice, recording or text is in two splits" in text
    assert "of the real clips, 8 the steps of face\\_part passed" in text  # 4 people in 2 splits
    assert "None passed the steps of audio/swap." in text


def test_numbers_are_those_of_the_audit(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home")
    text, _, staged = written(dataset, tmp_path / "out")
    report = report_of(dataset)
    rows = {row[0].split(":")[0]: row for row in table(text, "Cue")}
    assert report.floor is not None

    def told(auc: float, low: float | None, high: float | None) -> str:
        return with_interval(auc, low, high).replace("[", "\\[").replace("]", "\\]")

    floor = report.floor.probe
    assert rows["all leak and nuisance cues together (floor)"][1:3] == [told(floor.auc, floor.low, floor.high), ".0042"]
    one = report.findings[0]
    assert rows["leading silence"][1] == told(one.auc, one.low, one.high)
    assert float(rows["leading silence"][2]) == one.p
    # no number of what was not shown: the better of two probes lies above .5 by chance alone
    assert len(rows) == 2 and "lies above .5 by chance alone" in text and "chance is .5" not in text
    assert "Not shown to separate, all fakes taken together: file size and bit rate." in text
    assert "The same in all clips, or not measured: names and tags and length and clocks." in text
    published = read_report(staged.folder / "audit.json")
    assert published.findings == report.findings and published.floor == report.floor
    assert "python -m cmdfd.audit lab/toy-set@v1.0.0 --seed 3" in text


def test_audit_names_no_place_of_this_machine(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home", override=f"agreed, see {tmp_path}/letter.pdf")
    checked = checked_of(
        dataset, notes=(f"looked at {dataset.folder}/train",), overrides={"audit_failed": f"{tmp_path}/why"}
    )
    _, _, staged = written(dataset, tmp_path / "out", checked=checked)
    for name in ("README.md", "audit.json", "croissant.json", "LICENSE"):
        assert str(tmp_path) not in (staged.folder / name).read_text("utf-8"), name
    assert json.loads((staged.folder / "audit.json").read_text())["notes"][0].startswith("read from <local>")


def test_front_matter_is_read_by_the_hubs_client(tmp_path: Path) -> None:
    text, _, staged = written(write_set(tmp_path / "home"), tmp_path / "out", ALL_WORDS)
    loaded = DatasetCard.load(staged.folder / "README.md", repo_type="dataset")
    assert str(loaded) == text.rstrip("\n") or str(loaded) == text
    data = metadata_load(staged.folder / "README.md")
    assert data is not None and data == loaded.data.to_dict()
    assert data["license"] == "cc-by-4.0" and "license_name" not in data
    assert data["language"] == ["de"] and data["size_categories"] == ["n<1K"] and data["pretty_name"] == "Toy set"
    assert data["extra_gated_fields"]["I have read what is asked of me above"] == "checkbox"
    assert "desk@lab.example" in data["extra_gated_description"]
    assert "not to pass the clips on" in data["extra_gated_prompt"]


def test_withheld_labels_are_told_nowhere(tmp_path: Path) -> None:
    secret = replace(SWAP, kind="secret/kind", generator="secret_maker", variants=("secret grade",))
    dataset = write_set(
        tmp_path / "home", name="quiz", fakes=(PART, secret), withheld=("test",), only={"secret/kind": "test"}
    )
    text, blanks, staged = written(dataset, tmp_path / "out")
    assert any("predictions" in blank for blank in blanks)
    told = {row[0]: row for row in table(text, "Split")}
    assert told["test"][1] == "12" and told["test"][2:7] == ["withheld"] * 5
    assert [row[0] for row in table(text, "Kind")] == ["face/part"]
    clips = dataset.clips("test")
    words = {"secret", dataset.build.recipe_hash, "4242", "no_face", *(clip.component for clip in clips)}
    words |= {clip.face_id for clip in clips} | {clip.id for clip in clips} | {"clip-x", "0.0313"}
    for name in ("README.md", "audit.json", "croissant.json", "LICENSE"):
        content = (staged.folder / name).read_text("utf-8")
        assert [word for word in words if word in content] == [], name
    audit = read_report(staged.folder / "audit.json")
    assert audit.floor == report_of(dataset).floor
    assert (
        {one.analysis for one in audit.findings} == {one.name for one in audit.comparisons} == {"all", "split: train"}
    )


def test_a_set_that_is_wholly_withheld_has_a_card(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home", splits=("test",), withheld=("test",))
    text, _, _ = written(dataset, tmp_path / "out")
    assert "Which fakes there are is withheld." in text and "audio/swap" not in text


@pytest.mark.parametrize("talkers", [False, True])
def test_hostile_names_stay_text(tmp_path: Path, talkers: bool) -> None:
    evil = replace(SWAP, kind=HOSTILE, generator=HOSTILE, variants=(HOSTILE,), licence=HOSTILE, watermark=HOSTILE)
    dataset = write_set(
        tmp_path / "home", name=HOSTILE, fakes=(PART, evil), rights=(Rights(HOSTILE, HOSTILE),), override=HOSTILE,
        talkers=talkers, notes=(HOSTILE,),
    )  # fmt: skip
    words = CardWords(title=HOSTILE.replace("\n", " "), summary=HOSTILE, contact=HOSTILE, maintainers=("<b>|x",))
    checked = checked_of(dataset, notes=(HOSTILE,), overrides={"audit_failed": HOSTILE})
    text, blanks, staged = written(dataset, tmp_path / "out", words, checked)
    data = metadata_load(staged.folder / "README.md")
    assert data is not None
    assert data["pretty_name"] == clean(HOSTILE) and data["license"] == "other"
    assert re.fullmatch(r"[a-z0-9.-]+", data["license_name"])
    body = text.split("\n---\n", 1)[1]
    assert "<script" not in body and "\u202e" not in text and "\x1b" not in text
    assert "49" not in re.sub(r"[0-9a-f]{16,}", "", body.replace("{{ 7*7 }}", ""))
    assert "{% raw %}" in body.replace("\\", "")
    assert {len(row) for row in table(text, "Kind")} == {8} and len(table(text, "Kind")) == 2
    assert {len(row) for row in table(text, "Licence")} == {6} and len(table(text, "Licence")) == 1
    # as links only in the publisher's own words
    assert body.count("](http://e.vil)") == 2
    assert list(dict.fromkeys(blanks_in(text))) == list(blanks)
    assert re.findall(r"^# .*$", body, re.MULTILINE) and len(re.findall(r"^# ", body, re.MULTILINE)) == 1


def test_the_same_set_gives_the_same_bytes(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home")
    _, _, staged = written(dataset, tmp_path / "out", ALL_WORDS)
    first = files_of(staged.folder)
    again = replace(staged, files=first)  # as a second run finds it
    write_documents(dataset, again, checked_of(dataset), REPO, ALL_WORDS, framework=None)
    assert files_of(staged.folder) == first


def test_personal_data_follows_from_consent(tmp_path: Path) -> None:
    real, _, _ = written(write_set(tmp_path / "a"), tmp_path / "out-a")
    assert "faces and voices of real people (consent: given)" in real
    drawn = write_set(tmp_path / "b", rights=(Rights("Apache-2.0", "synthetic"),), talkers=True)
    text, blanks, _ = written(drawn, tmp_path / "out-b")
    assert "no real person is shown or heard" in text
    assert not any("people is in the set" in one for one in blanks)
    assert "no evidence of accuracy on real people" in text and "| Languages | en |" in text


def test_overrides_are_told_and_somebody_answers_for_them(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home", override="Written leave of the archive")
    checked = checked_of(dataset, overrides={"audit_failed": "a known cue of the source"})
    text, blanks, staged = written(dataset, tmp_path / "out", checked=checked)
    told = section(text, "Consent and licences of the sources")
    assert f"- {len(dataset.rows)} clips: Written leave of the archive" in told
    assert "- audit_failed, lifted when the set was published: a known cue of the source" in told
    assert "who decided on them (overrides_by)" in blanks
    assert "Written leave of the archive" in (staged.folder / "LICENSE").read_text()


@pytest.mark.parametrize(
    ("licence", "asked"),
    [
        ("CC-BY-4.0", True), ("Apache-2.0", True), ("CC-BY-NC-SA-4.0", True), ("public-domain", True),
        ("research-only", False), ("CC-BY-ND-4.0", False), ("Lab terms 3", False),
    ],
)  # fmt: skip
def test_the_gate_asks_where_the_licence_allows_and_binds_where_it_does_not(
    tmp_path: Path, licence: str, asked: bool
) -> None:
    """CC BY 4.0, 2(a)(5)(C): who passes a work on adds no terms that restrict what the licence allows."""
    dataset = write_set(tmp_path / "home", people=1, rights=(Rights(licence, "given"),))
    text, _, staged = written(dataset, tmp_path / "out")
    told = (staged.folder / "LICENSE").read_text()
    data = metadata_load(staged.folder / "README.md")
    assert data is not None
    prompt = data["extra_gated_prompt"]
    boxes = [name for name, kind in data["extra_gated_fields"].items() if kind == "checkbox"]
    prohibited = " ".join(section(text, "Prohibited use").split())
    if asked:
        assert prompt.startswith("I am asked to use") and "stays allowed" in prompt
        assert "the licence holds" in " ".join(told.split()) and "- not to pass the clips on" in told
        assert "asked not to do" in prohibited
        assert not re.search(r"\bagree|\bpromise|\bI will\b", told + prompt + "".join(boxes))
    else:
        assert prompt.startswith("I will use") and boxes == ["I agree to the terms above"]
        assert "promises to" in told and "- not pass the clips on" in told and "request" not in told
        assert "asked not to do" not in prohibited and prohibited.startswith("Finding out who")


@pytest.mark.parametrize("why", ["untestable", "blind"])
def test_an_audit_that_could_find_nothing_shows_no_numbers_of_cues(tmp_path: Path, why: str) -> None:
    """Hex names of few clips reach .7 by chance; such a number beside "none" tells readers the wrong thing."""
    dataset = write_set(tmp_path / "home")
    report = report_of(dataset)
    if why == "untestable":
        few = replace(report.comparisons[0], testable=False, note="only 2 components", n_draws=0)
        report = replace(report, comparisons=(few, *report.comparisons[1:]))
    else:
        report = replace(report, controls=Controls(5, 0, None, 4, ((0.7, 0.1),)))
    report = replace(report, findings=(finding("path.name_digits", 0.5821),), checks=())
    text, _, staged = written(dataset, tmp_path / "out", checked=checked_of(dataset, audit=report))
    told = section(text, "Audit results")
    assert report.status == "not testable" and "Outcome: **not testable**" in told
    assert not re.search(r"\.5[0-9]{2}|\[\.", told) and "| Cue |" not in told
    assert "python -m cmdfd.audit lab/toy-set@v1.0.0 --seed 3" in told and "`audit.json`" in told
    found = (staged.folder / "croissant.json").read_text()
    assert "0.5821" not in found and ".582" not in found


def test_versions_of_a_clip_are_not_counted_as_clips(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home", people=2, splits=("test",), versions=("whatsapp",))
    text, _, staged = written(dataset, tmp_path / "out")
    n = sum(not clip.platform for clip in dataset.rows)
    assert len(dataset.rows) == 2 * n
    assert f"| Clips | {2 * n}, versions counted; test: " in text
    assert f"deepfakes: {n} clips of 2 people, each also sent through whatsapp (emulated), " in text
    found = json.loads((staged.folder / "croissant.json").read_text())
    assert f"{n} clips, each also sent through whatsapp (emulated), for the detection" in found["description"]
    some = write_set(tmp_path / "some", people=2, splits=("test",), versions=("a", "b"), sent=3)
    text, _, _ = written(some, tmp_path / "out-some")
    assert "clips of 2 people, and 6 versions of them sent through a and b (emulated), " in text


def test_no_audit_is_a_visible_blank(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "home")
    text, blanks, staged = written(dataset, tmp_path / "out", ALL_WORDS, Checked(()))
    assert blanks == ("what separates real from fake without looking at the forgery",)
    assert not (staged.folder / "audit.json").exists() and "rai:dataBiases" not in text


def test_withdrawn_clips_are_counted(tmp_path: Path) -> None:
    from cmdfd.takedown.tombstones import write_tombstones

    dataset = write_set(tmp_path / "home")
    write_tombstones(dataset.folder, {"0" * 16: "v1.1.0", "1" * 16: "v1.1.0"})
    text, blanks, _ = written(dataset, tmp_path / "out", repo=Repo("lab/toy-set", "v1.1.0"))
    assert table(text, "Version")[0][3] == "2" and "what changed in v1.1.0 (changes)" in blanks
    assert "`tombstones.parquet`" in section(text, "Versions and changelog")


@pytest.mark.parametrize("people", [1, 2])
@pytest.mark.parametrize("layout", ["videofolder", "webdataset", "parquet"])
def test_load_dataset_takes_the_clips_and_nothing_else(
    tmp_path: Path, people: int, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    fakes = (replace(PART, variants=("",)),) if people == 2 else ()
    dataset = write_set(tmp_path / "home", people=people, sham=False, fakes=fakes)
    _, _, staged = written(dataset, tmp_path / "out", ALL_WORDS, layout=layout)
    found = datasets.load_dataset(str(staged.folder), cache_dir=str(tmp_path / "cache"))
    column = "mp4" if layout == "webdataset" else "video"
    assert sorted(found) == ["test", "train"]
    for split in dataset.splits:
        rows = found[split].cast_column(column, datasets.Video(decode=False))
        ids = [row["json"]["id"] if layout == "webdataset" else row["id"] for row in rows]
        assert sorted(ids) == sorted(clip.id for clip in dataset.clips(split))


def test_without_media_the_tables_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    dataset = write_set(tmp_path / "home", people=2)
    staged = staged_of(dataset, tmp_path / "out")
    for path in [*staged.folder.rglob("*.mp4"), *staged.folder.rglob("*.mkv")]:
        path.unlink()
    (staged.folder / "REBUILD.md").write_text("how")
    staged = replace(staged, files=files_of(staged.folder), recipe_only=True)
    write_documents(dataset, staged, checked_of(dataset), REPO, ALL_WORDS, framework=None)
    found = datasets.load_dataset(str(staged.folder), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in found.items()} == {"train": 12, "test": 12}
    text = (staged.folder / "README.md").read_text()
    assert "python -m cmdfd.audit BUILT --seed 3" in text  # there are no media in the repository
    assert (
        "`REBUILD.md`" in text
        and "whoever has the same recordings" in text
        and "import datasets" not in text
        and "masks/000" not in text
    )


def test_eval_yaml_only_with_a_framework(tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    dataset = write_set(tmp_path / "home", name="a: {b}")
    staged = staged_of(dataset, tmp_path / "out")
    file = staged.folder / "eval.yaml"
    write_documents(dataset, staged, checked_of(dataset), REPO, CardWords(), framework="my-frame")
    found = YAML(typ="safe").load(file)
    assert found["evaluation_framework"] == "my-frame" and found["name"] == "a: {b}"
    assert [(one["id"], one["config"], one["split"]) for one in found["tasks"]] == [
        ("detection-train", "default", "train"), ("detection-test", "default", "test"),
    ]  # fmt: skip
    write_documents(dataset, staged, checked_of(dataset), REPO, CardWords(), framework=None)
    assert not file.exists()
    for framework in ("", " ", "My Frame", "a/b", "x" * 65, "a\nb"):
        with pytest.raises(CmdfdError, match="--evaluation-framework"):
            write_documents(dataset, staged, checked_of(dataset), REPO, CardWords(), framework=framework)


def test_ledger_takes_the_most_restrictive(tmp_path: Path) -> None:
    rights = (Rights("CC-BY-4.0", "given"), Rights("CC-BY-NC-4.0", "public-figure", pristine=False))
    ledger = licence_ledger(write_set(tmp_path / "home", people=4, rights=rights))
    assert ledger.overall == Rights("CC-BY-NC-4.0", "public-figure", pristine=False)
    assert {(row.licence, row.pristine) for row in ledger.rows} == {("CC-BY-4.0", True), ("CC-BY-NC-4.0", False)}
    assert {row.recordings for row in ledger.rows} == {4} and ledger.overrides == {}
    hidden = licence_ledger(write_set(tmp_path / "quiz", rights=rights, withheld=("test",)))
    assert hidden.withheld == 18 and sum(row.clips for row in hidden.rows) == 18


def test_licences_in_the_hubs_words() -> None:
    assert hub_licence("CC0-1.0", "a/b", "v1").license == "cc0-1.0"
    assert HUB_LICENCES["Apache-2.0"] == "apache-2.0" and "research-only" not in HUB_LICENCES
    other = hub_licence("My Own / Licence!", "a/b", "v1.0.0")
    assert (other.license, other.name, other.link) == ("other", "my-own-licence", "LICENSE")
    assert other.url == "https://huggingface.co/datasets/a/b/blob/v1.0.0/LICENSE"
    assert hub_licence("...", "a/b", "v1").name == "unclear"


def test_sizes() -> None:
    found = [size_category(n) for n in (1, 999, 1000, 99_999, 100_000, 2_000_000)]
    assert found == ["n<1K", "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"]


def test_template_of_an_installation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cmdfd.publish import card

    assert template_path().name == "dataset_card.md" and "{{ card_data }}" in template_path().read_text()
    monkeypatch.setattr(card, "__file__", str(tmp_path / "lib" / "cmdfd" / "publish" / "card.py"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(card.sysconfig, "get_path", lambda name, scheme: str(tmp_path / name))
    with pytest.raises(CmdfdError, match="install cmdfd again"):
        template_path()
    place = tmp_path / "data" / "share" / "cmdfd" / "dataset_card.md"
    place.parent.mkdir(parents=True)
    place.write_text("x")
    assert template_path() == place
