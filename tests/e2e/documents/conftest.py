"""A reader with a home of their own, who has run ``make setup``."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.documents.reader import ROOT, Reader
from tests.e2e.sandbox_process import environment_for


@pytest.fixture
def reader(tmp_path: Path, tools: Mapping[str, Path]) -> Iterator[Reader]:
    """A reader who has run ``make setup``; what they leave running is ended."""
    environment = {**environment_for(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    cache, folder = tmp_path / "cache/selfheal/tools", tmp_path / "clone"
    for made in (tmp_path / "home", cache, folder):
        made.mkdir(parents=True)
    for name, path in tools.items():
        (cache / name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    for part in ("chart", "docs"):
        (folder / part).symlink_to(ROOT / part)
    reader = Reader(folder, environment)
    yield reader
    reader.types(".venv/bin/selfheal-sandbox down")


@pytest.fixture
def installed(reader: Reader) -> Reader:
    """The same reader with our programs, helm and kubectl on the path."""
    path = f"{reader.folder}/.venv/bin:{reader.environment['XDG_CACHE_HOME']}/selfheal/tools"
    return Reader(reader.folder, {**reader.environment, "PATH": f"{path}:{reader.environment['PATH']}"})


@pytest.fixture
def newcomer(reader: Reader) -> Reader:
    """A reader with a clone of the whole and nothing installed."""
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "results", "build", "dist")
    clone = reader.folder.with_name("whole")
    shutil.copytree(ROOT, clone, ignore=unwanted)
    return Reader(clone, reader.environment)
