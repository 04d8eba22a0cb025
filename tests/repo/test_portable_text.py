"""No file of the project ties it to one machine or to one package index: those are settings of whoever builds it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = {"build", "dist", "__pycache__", "results", "snapshot_report.html"}
KEPT_HIDDEN = {".ci", ".github", ".dockerignore", ".gitignore", ".pre-commit-config.yaml", ".yamllint.yaml"}
# Spelt in parts, so that this file does not hold what it forbids.
INDEX_HOSTS = [
    "pypi." + "org",
    "python" + "hosted.org",
    "proxy.golang." + "org",
    "sum.golang." + "org",
    "registry." + "npmjs",
    "deb." + "debian",
    "security." + "debian",
    "static.crates." + "io",
    "index.crates." + "io",
    "repo1." + "maven",
]
MACHINE_PATHS = ["/" + "work/main", "/" + "work/shared", "/" + "root/.", "/home/" + "runner"]


def files() -> Iterator[Path]:
    """The project's own files."""
    for top in sorted(ROOT.iterdir()):
        if top.name in GENERATED or (top.name.startswith(".") and top.name not in KEPT_HIDDEN):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and not GENERATED & set(path.relative_to(ROOT).parts) and path.suffix != ".pyc":
                yield path


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files()}


def test_there_is_something_to_look_at(texts: dict[str, str]) -> None:
    assert len(texts) > 300
    assert {"Makefile", ".ci/run", ".github/workflows/ci.yaml", "requirements/dev.txt", "pyproject.toml"} <= set(texts)


@pytest.mark.parametrize("words", [INDEX_HOSTS, MACHINE_PATHS], ids=["package index", "path of a machine"])
def test_no_file_names_one(texts: dict[str, str], words: list[str]) -> None:
    pattern = re.compile("|".join(map(re.escape, words)))
    found = {name: match[0] for name, text in texts.items() if (match := pattern.search(text))}

    assert found == {}


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements/*.txt")), ids=lambda path: path.stem)
def test_every_locked_package_has_a_hash_and_no_index(lock: Path) -> None:
    text = lock.read_text()
    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert len(packages) == len(re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE)) > 0
    assert [package.splitlines()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert "index-url" not in text
