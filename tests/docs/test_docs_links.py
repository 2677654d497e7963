"""What the documents promise about each other, about the commands and about the extras holds."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PACKAGES = ("cmdfd", "generators", "benchmarks", "leaderboards")


def project() -> dict[str, object]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def extras() -> set[str]:
    """Names of the optional dependencies."""
    return set(project()["project"]["optional-dependencies"])


def without_code(text: str) -> str:
    """A page without its fenced blocks and inline code, in which brackets mean something else."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(path: Path) -> set[str]:
    """Anchors that the usual Markdown renderers give to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def bash_lines(path: Path) -> list[str]:
    """Command lines of a page's bash blocks, continued lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def ci_variable(name: str) -> str:
    """A single-quoted variable of .ci/run."""
    [value] = re.findall(rf"^{name}='(.*)'$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    return value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{page.name} links to {target}"
        assert found.is_relative_to(ROOT), f"{page.name} links out of the project: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{page.name} links to {target}, which has {sorted(anchors(found))}"


def test_every_page_of_the_docs_is_reachable_from_the_index() -> None:
    linked = set(re.findall(r"\]\(([\w.]+\.md)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    there = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert linked >= there, f"not in the index: {sorted(there - linked)}"


def test_the_first_two_commands_of_the_readme_are_those_of_ci() -> None:
    first, second = bash_lines(ROOT / "README.md")[:2]
    assert first == f"{ci_variable('INSTALL')} && {ci_variable('MAIN')}"
    assert second == ci_variable("TESTS")


def test_the_face_command_of_the_readme_is_that_of_ci() -> None:
    assert ci_variable("FACE") in bash_lines(ROOT / "README.md")


@pytest.mark.parametrize("page", [*PAGES, ROOT / ".ci" / "run"], ids=lambda page: str(page.relative_to(ROOT)))
def test_extras_in_install_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for named in re.findall(r"-e ['\"]\.\[([\w,-]+)\]['\"]", text):
        assert set(named.split(",")) <= extras(), f"{page.name}: .[{named}]"


def test_extras_that_errors_name_exist() -> None:
    """Every `MissingExtraError("name", ...)` of the code, and every "pip install ... .[name]" in its texts."""
    named: dict[str, str] = {}
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingExtraError" and node.args:
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: the extra must be a literal"
                named[node.args[0].value] = f"{path.relative_to(ROOT)}:{node.lineno}"
        for found in re.findall(r"\.\[([a-z][\w,-]*)\]['\"]", source):
            named.update(dict.fromkeys(found.split(","), str(path.relative_to(ROOT))))
    unknown = {extra: place for extra, place in named.items() if extra not in extras()}
    assert not unknown, f"unknown extras: {unknown}; pyproject.toml has {sorted(extras())}"


def test_constraints_keep_out_what_breaks_and_name_no_host() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert "torch==2.13.0" in lines
    for package in ("torchcodec", "torchvision", "torchaudio"):
        assert f"{package}<0" in lines
    assert "://" not in text


def test_constraints_allow_the_lower_bounds_of_the_project() -> None:
    """A constraint that no version satisfies together with pyproject.toml would stop every install."""
    requirements = pytest.importorskip("packaging.requirements")
    version = pytest.importorskip("packaging.version")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parsed = [requirements.Requirement(line) for line in lines if line and not line.startswith("#")]
    limits = {requirement.name.lower(): requirement.specifier for requirement in parsed}
    tables = project()["project"]
    named = [*tables["dependencies"], *(item for group in tables["optional-dependencies"].values() for item in group)]
    for requirement in (requirements.Requirement(item) for item in named):
        limit = limits.get(requirement.name.lower())
        floors = [spec.version for spec in requirement.specifier if spec.operator in (">=", "==")]
        for floor in floors if limit else []:
            ceilings = [spec.version for spec in limit if spec.operator in ("<", "==", "<=")]
            assert all(version.Version(floor) <= version.Version(top) for top in ceilings), f"{requirement} and {limit}"


def test_versions_agree() -> None:
    version = project()["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    heads = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads[0] == "Unreleased"


def test_the_card_template_is_a_template() -> None:
    """The sections that a reader expects; how it is filled is tested in tests/cmdfd/publish/test_publish_card.py."""
    import jinja2
    from jinja2.meta import find_undeclared_variables

    text = (ROOT / "dataset_card.md").read_text(encoding="utf-8")
    assert {"card_data", "audit", "said"} <= find_undeclared_variables(jinja2.Environment().parse(text))
    heads = " ".join(re.findall(r"^## (.+)$", text, re.MULTILINE))
    wanted = ["Description", "Structure", "Generation", "Intended", "Prohibited", "Consent", "Limits", "Versions"]
    assert [word for word in [*wanted, "Citation", "Contact"] if word not in heads] == []


def test_headings_go_down_step_by_step() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        text = text.split("---\n", 2)[2] if text.startswith("---\n") else text
        levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
        assert levels[0] == 1 and levels.count(1) == 1, f"{page.name}: one title, first"
        assert all(below - above <= 1 for above, below in pairwise(levels)), f"{page.name}: a level is left out"


def test_format_versions_of_the_page_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "versioning.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|.*\| (\d+) \| `([\w.]+)\.([A-Z_]+)` \|$", page, re.MULTILINE)
    stated = {(module, name): int(version) for version, module, name in rows}
    held: dict[tuple[str, str], int] = {}
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            name = getattr(target, "id", "")
            if name.endswith(("SCHEMA_VERSION", "FORMAT_VERSION")) and isinstance(node.value, ast.Constant):
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                held[module, name] = node.value.value
    assert stated == held


@cache
def help_of(module: str) -> str:
    """What a command prints about its options."""
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documented_commands() -> list[tuple[str, str]]:
    """(module, arguments) of every command of this project in a document's bash block or inline code."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for module, rest in re.findall(rf"python -m ((?:{'|'.join(PACKAGES)})\.[\w.]+)([^\n`&]*)", text):
            found.add((module, rest.strip()))
    return sorted(found)


@pytest.mark.parametrize(("module", "arguments"), documented_commands(), ids=str)
def test_documented_commands_and_options_exist(module: str, arguments: str) -> None:
    for option in re.findall(r"--[a-z][\w-]*", arguments):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(module)), f"{module} has no {option}"
    assert "usage: " in help_of(module)


def test_options_that_the_documents_name_alone_exist() -> None:
    """Inline code like `--fit-seeds N` without its command belongs to one of the commands."""
    known = "".join(help_of(module) for module in sorted({module for module, _ in documented_commands()}))
    foreign = {"--no-build", "--index-url", "--help"}
    for page in PAGES:
        for span in re.findall(r"`(--[a-z][\w-]*)[^`]*`", page.read_text(encoding="utf-8")):
            assert span in foreign or span in known, f"{page.name}: {span}"


def test_the_python_example_of_the_readme_prints_the_auc_of_every_task(tmp_path: Path) -> None:
    from benchmarks.results import Estimate, RunResult, TaskResult

    task = TaskResult(
        detector="mds:mini", dataset="mini-a", split="test", condition="untrimmed", domain="in", n_real=1, n_fake=1,
        n_failed=0, n_components=1, base_rate=0.5, threshold=None, kinds=[],
        pooled={"auc": Estimate(value=0.75, low=0.5, high=0.875)},
    )  # fmt: skip
    result = RunResult(
        status="success", run_id="r", created="2026-01-01T00:00:00Z", command=[], detectors=[], datasets=[],
        tasks=[task], comparisons=[], config={}, environment={}, timing={}, predictions_sha256=None,
    )  # fmt: skip
    folder = tmp_path / "runs" / "mds-mini" / "r"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["mds:mini", "mini-a/test", "untrimmed", "0.75", "0.5", "0.875"]
