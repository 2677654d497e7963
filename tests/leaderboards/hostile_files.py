"""Hostile YAML, fields, addresses, and files that are no Parquet file."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hostile_box import TABLE, YAML_NAME, Box, case


def _system(name: str, value: Any) -> Callable[[Box], object]:
    return lambda box: box.edit(lambda data: data["system"].update({name: value}))


def _top(name: str, value: Any) -> Callable[[Box], object]:
    return lambda box: box.edit(lambda data: data.update({name: value}))


def _predictions(**values: Any) -> Callable[[Box], object]:
    return lambda box: box.edit(lambda data: data["predictions"].update(values))


def _stamp(**values: Any) -> Callable[[Box], object]:
    """A reproduction that would be good but for these fields; `...` takes one away."""

    def change(data: Any) -> None:
        stamp = {"by": "Q", "on": "2026-11-27", "match": "inference", "version": "cmdfd 0.1.0", "max_difference": 0.0}
        stamp |= {"predictions_sha256": data["predictions"]["sha256"]} | values
        data["reproduction"] = {name: value for name, value in stamp.items() if value is not ...}

    return lambda box: box.edit(change)


# --- the YAML itself -------------------------------------------------------------------------------------------------
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
case("yaml-billion-laughs", YAML_NAME, "file", "anchor")(
    lambda box: box.text("schema_version", BOMB + "schema_version")
)
case("yaml-merge-key", YAML_NAME, "file", "anchor")(lambda box: box.text("system:", "system: &s"))
case("yaml-python-object", YAML_NAME, "file", "tag")(
    lambda box: box.text("harness: cmdfd 0.1.0", "harness: !!python/object/apply:os.system ['touch pwned']")
)
case("yaml-custom-tag", YAML_NAME, "file", "tag")(lambda box: box.text("board: toy", "board: !include toy"))
case("yaml-duplicate-key", YAML_NAME, "file", "duplicate key")(
    lambda box: box.text("board: toy", "board: toy\nboard: other")
)
case("yaml-deep", YAML_NAME, "file", "nested too deeply")(
    lambda box: box.text("selected_on: []", "selected_on: " + "[" * 5000 + "]" * 5000)
)
case("yaml-huge", YAML_NAME, "file", "at most 200000")(
    lambda box: box.text("board: toy", "#" * 300_000 + "\nboard: toy")
)
case("yaml-broken", YAML_NAME, "file", "not YAML")(lambda box: box.text("board: toy", "board: [toy"))
case("yaml-two-documents", YAML_NAME, "file", "documents")(
    lambda box: box.path.write_text(box.path.read_text("utf-8") + "---\n{}\n", encoding="utf-8")
)
case("yaml-not-utf8", YAML_NAME, "file", "UTF-8")(
    lambda box: box.path.write_bytes(box.path.read_bytes().replace(b"A Person", b"A P\xff"))
)
case("yaml-list", YAML_NAME, "file", "mapping")(lambda box: box.path.write_text("- 1\n", encoding="utf-8"))
case("yaml-empty", YAML_NAME, "file", "mapping")(lambda box: box.path.write_text("# nothing\n---\n", encoding="utf-8"))
case("yaml-long-number", YAML_NAME, "file", "not YAML")(
    lambda box: box.text("schema_version: 1", "schema_version: 1" + "0" * 9000)
)


@case("yaml-symlink", YAML_NAME, "file", "symbolic link")
def _yaml_link(box: Box) -> None:
    box.path.rename(box.board / "elsewhere.yaml")
    box.path.symlink_to(box.board / "elsewhere.yaml")


@case("yaml-named-pipe", YAML_NAME, "file", "regular file")
def _yaml_pipe(box: Box) -> None:
    box.path.unlink()
    os.mkfifo(box.path)


# --- fields ----------------------------------------------------------------------------------------------------------
case("field-claims-a-number", YAML_NAME, "auc", "no field")(_top("auc", 0.999))
case("field-mistyped", YAML_NAME, "trianed_on", "no field")(_top("trianed_on", []))
case("field-missing", YAML_NAME, "score_direction", "missing")(lambda box: box.edit(lambda d: d.pop("score_direction")))
case("field-undeclared-training", YAML_NAME, "trained_on", "missing")(
    lambda box: box.edit(lambda d: d.pop("trained_on"))
)
case("field-infinite", YAML_NAME, "system.n_parameters", "finite")(_system("n_parameters", float("inf")))
case("field-huge-number", YAML_NAME, "system.n_parameters", "less than")(_system("n_parameters", 10**30))
case("field-schema-version", YAML_NAME, "schema_version", "1")(_top("schema_version", 99))
case("field-other-board", YAML_NAME, "board", "this is the board")(_top("board", "other"))
case("field-direction", YAML_NAME, "score_direction", "higher_is_fake")(_top("score_direction", "higher_is_real"))
case("field-future", YAML_NAME, "submitted_at", "between")(_top("submitted_at", "2999-01-01"))
case("field-past", YAML_NAME, "submitted_at", "between")(_top("submitted_at", "1970-01-01"))
case("field-no-day", YAML_NAME, "submitted_at", "no day")(_top("submitted_at", "2026-02-31"))
case("field-script-link", YAML_NAME, "system.code", "pattern")(_system("code", "javascript:alert(1)"))
case("field-html-in-link", YAML_NAME, "system.paper", "pattern")(_system("paper", 'https://a.org/"><script>x</script>'))
case("field-newline-in-link", YAML_NAME, "system.paper", "pattern")(_system("paper", "https://a.org/x\nhttps://b.org"))
case("field-link-with-password", YAML_NAME, "system.code", "pattern")(_system("code", "https://me:secret@a.org/x"))
case("field-reversed-name", YAML_NAME, "system.name", "U+202E")(_system("name", "model\u202egnp.exe"))
case("field-invisible-name", YAML_NAME, "system.name", "U+200B")(_system("name", "mo\u200bdel"))
case("field-escape-sequence", YAML_NAME, "submitter.name", "U+001B")(
    lambda box: box.text("name: A Person", 'name: "\\e[2J\\e[31mA Person"')
)
case("field-nul", YAML_NAME, "notes", "U+0000")(
    lambda box: box.path.write_text(box.path.read_text("utf-8") + 'notes: "a\\0b"\n', encoding="utf-8")
)
case("field-long-name", YAML_NAME, "system.name", "200")(_system("name", "x" * 100_000))
case("field-blank-name", YAML_NAME, "system.name", "at least 1")(_system("name", "   "))
case("field-slug-path", YAML_NAME, "system.slug", "pattern")(_system("slug", "../../../etc/passwd"))
case("field-slug-html", YAML_NAME, "system.slug", "pattern")(_system("slug", "<img onerror=x>"))
case("field-slug-of-another", YAML_NAME, "system.slug", "the file is called", "predictions.file", "pixels.file")(
    _system("slug", "better")
)
case("field-no-commit", YAML_NAME, "system.code_commit", "missing beside code")(_system("code_commit", None))
case("field-commit-is-a-branch", YAML_NAME, "system.code_commit", "pattern")(_system("code_commit", "main"))
case("field-no-weights-hash", YAML_NAME, "system.checkpoint_sha256", "missing")(_system("checkpoint_sha256", None))
case("field-nothing-to-look-at", YAML_NAME, "system.code", "neither code nor checkpoint")(
    lambda box: box.edit(
        lambda d: d["system"].update(code=None, code_commit=None, checkpoint=None, checkpoint_sha256=None)
    )
)
case("field-local-training-data", YAML_NAME, "trained_on.0", "place on a machine")(
    _top("trained_on", ["/home/me/data"])
)
case("field-training-flood", YAML_NAME, "trained_on", "201 data sets")(
    _top("trained_on", [f"d{n}" for n in range(201)])
)
case("field-twice-trained", YAML_NAME, "trained_on.1", "stands twice")(_top("trained_on", ["a/train", "A/train"]))
case("field-own-stamp", YAML_NAME, "reproduction.by", "is the submitter")(_stamp(by="a person"))
case("field-half-stamp", YAML_NAME, "reproduction.version", "missing")(_stamp(version=...))
case("field-stamp-of-no-predictions", YAML_NAME, "reproduction.predictions_sha256", "missing")(
    _stamp(predictions_sha256=...)
)
case("field-stamp-of-other-predictions", YAML_NAME, "reproduction.predictions_sha256", "the predictions are")(
    _stamp(predictions_sha256="0" * 64)
)
case(
    "field-stamp-of-other-scores",
    YAML_NAME,
    "reproduction.max_difference",
    "less than or equal to 0.000001, got '1.1e-06'",
)(_stamp(max_difference=1.1e-6))


@case("slug-taken-in-capitals", YAML_NAME, "system.slug", "is taken by 'GOOD.yaml'")
def _taken(box: Box) -> None:
    (box.folder / "GOOD.yaml").write_text("{}\n", encoding="utf-8")


# --- where the predictions are ---------------------------------------------------------------------------------------
case("file-traversal", YAML_NAME, "predictions.file", "pattern")(_predictions(file="../../truth/toy-a-test.parquet"))
case("file-absolute", YAML_NAME, "predictions.file", "pattern")(_predictions(file="/etc/passwd"))
case("file-of-another", YAML_NAME, "predictions.file", "'other.parquet'")(_predictions(file="other.parquet"))
case("file-none", YAML_NAME, "predictions", "either file or url")(_predictions(file=None))
case("file-and-url", YAML_NAME, "predictions", "either file or url")(
    _predictions(url=f"https://huggingface.co/a/b/resolve/{'0' * 40}/x.parquet")
)
case("file-missing", TABLE, "predictions.file", "cannot be read")(lambda box: box.table.unlink())
case("file-wrong-hash", TABLE, "predictions.sha256", "the submission says")(_predictions(sha256="0" * 64))
case("file-wrong-size", TABLE, "predictions.size", "the submission says 17")(_predictions(size=17))
case("file-huge-size", YAML_NAME, "predictions.size", "this board allows")(_predictions(size=999_999_999))
case("file-beyond-a-gigabyte", YAML_NAME, "predictions.size", "less than")(_predictions(size=10**12))
case("url-plain-http", YAML_NAME, "predictions.url", "pattern")(_predictions(file=None, url="http://huggingface.co/x"))
case("url-file", YAML_NAME, "predictions.url", "pattern")(_predictions(file=None, url="file:///etc/passwd"))
case("url-loopback", YAML_NAME, "predictions.url", "'127.0.0.1'")(
    _predictions(file=None, url=f"https://127.0.0.1/a/b/resolve/{'0' * 40}/x.parquet")
)
case("url-metadata-service", YAML_NAME, "predictions.url", "'169.254.169.254'")(
    _predictions(file=None, url=f"https://169.254.169.254/a/resolve/{'0' * 40}/x.parquet")
)
case("url-other-host", YAML_NAME, "predictions.url", "'evil.example'")(
    _predictions(file=None, url=f"https://evil.example/a/resolve/{'0' * 40}/x.parquet")
)
case("url-look-alike-host", YAML_NAME, "predictions.url", "'huggingface.co.evil.example'")(
    _predictions(file=None, url=f"https://huggingface.co.evil.example/a/resolve/{'0' * 40}/x.parquet")
)
case("url-branch", YAML_NAME, "predictions.url", "could change")(
    _predictions(file=None, url="https://huggingface.co/a/b/resolve/main/x.parquet")
)


@case("file-symlink", TABLE, "predictions.file", "symbolic link")
def _table_link(box: Box) -> None:
    box.table.rename(box.board / "elsewhere.parquet")
    box.table.symlink_to(box.board / "elsewhere.parquet")


@case("file-device", TABLE, "predictions.file", "symbolic link")
def _device(box: Box) -> None:
    box.table.unlink()
    box.table.symlink_to("/dev/zero")


@case("file-named-pipe", TABLE, "predictions.file", "regular file")
def _pipe(box: Box) -> None:
    box.table.unlink()
    os.mkfifo(box.table)


@case("file-folder", TABLE, "predictions.file", "regular file")
def _folder(box: Box) -> None:
    box.table.unlink()
    box.table.mkdir()


# --- what is no Parquet file -----------------------------------------------------------------------------------------
class Payload:
    """A pickle that would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self._path, "run"))


@case("data-pickle", TABLE, "file", "Python pickle")
def _pickle(box: Box) -> None:
    box.put(pickle.dumps(Payload(box.board / "pwned")))


@case("data-pickle-in-npz", TABLE, "file", "zip or npz")
def _npz(box: Box) -> None:
    stream = io.BytesIO()
    np.savez(stream, scores=np.array([Payload(box.board / "pwned")], dtype=object), allow_pickle=True)
    box.put(stream.getvalue())


@case("data-zip-bomb", TABLE, "file", "zip or npz")
def _zip(box: Box) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"\0" * 10_000_000)
    box.put(stream.getvalue())


case("data-csv", TABLE, "file", "no Parquet file")(lambda box: box.put(b"id,score\na,1\n"))
case("data-json", TABLE, "file", "JSON")(lambda box: box.put(b'{"auc": 1}'))
case("data-html", TABLE, "file", "web page")(lambda box: box.put(b"<html><script>alert(1)</script></html>"))
case("data-lfs-pointer", TABLE, "file", "Git LFS")(
    lambda box: box.put(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")
)
case("data-cut-off", TABLE, "file", "breaks off")(lambda box: box.put(box.table.read_bytes()[:-200]))
case("data-magic-only", TABLE, "file", "cannot be read as Parquet")(lambda box: box.put(b"PAR1" + b"\0" * 8 + b"PAR1"))
case("data-huge-footer", TABLE, "file", "footer")(lambda box: box.put(b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1"))
case("data-random-footer", TABLE, "file", "cannot be read as Parquet")(
    lambda box: box.put(b"PAR1" + bytes(range(256)) * 4 + (1024).to_bytes(4, "little") + b"PAR1")
)
