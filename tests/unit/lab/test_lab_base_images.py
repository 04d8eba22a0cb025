"""Base images of the lab's images: when one is made, and what it is called."""

import os
import tarfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tests.lab.base_images import FRESH_SECONDS, RUNTIME, Base, BuildError, base_archive, recipe_of


def holding(versions: str) -> Callable[[Base, Path], None]:
    """What makes a root file system of packages in some versions."""

    def make(_: Base, layer: Path) -> None:
        entry = tarfile.TarInfo("versions")
        entry.size = len(versions)
        with tarfile.open(layer, "w") as root:
            root.addfile(entry, BytesIO(versions.encode()))

    return make


def fails(base: Base, _: Path) -> None:
    raise BuildError(f"{base.name} was not built: no network")


def make_old(archive: Path) -> None:
    then = time.time() - FRESH_SECONDS - 60
    os.utime(archive, (then, then))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_base_that_was_made_lately_is_used(tmp_path: Path) -> None:
    said: list[str] = []
    made = base_archive(RUNTIME, tmp_path, print, holding("1.0"))

    assert base_archive(RUNTIME, tmp_path, said.append, fails) == made
    assert said == []
    assert names(tmp_path) == {made.name}


def test_an_old_one_is_made_anew_and_other_versions_are_another_base(tmp_path: Path) -> None:
    before = base_archive(RUNTIME, tmp_path, print, holding("1.0"))
    make_old(before)

    after = base_archive(RUNTIME, tmp_path, print, holding("1.1"))

    assert after.name != before.name
    assert names(tmp_path) == {after.name}


def test_an_old_one_that_is_still_what_debian_has_keeps_its_name(tmp_path: Path) -> None:
    before = base_archive(RUNTIME, tmp_path, print, holding("1.0"))
    make_old(before)

    assert base_archive(RUNTIME, tmp_path, print, holding("1.0")) == before
    assert base_archive(RUNTIME, tmp_path, print, fails) == before, "it counts as made now"


def test_where_no_new_one_can_be_made_the_old_one_is_used_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    before = base_archive(RUNTIME, tmp_path, print, holding("1.0"))
    make_old(before)

    assert base_archive(RUNTIME, tmp_path, said.append, fails) == before
    assert said[-1] == "base image runtime: runtime was not built: no network; the one of some weeks ago is used"


def test_without_any_the_failure_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no network"):
        base_archive(RUNTIME, tmp_path, print, fails)

    assert names(tmp_path) == set()


def test_other_packages_are_another_recipe() -> None:
    assert recipe_of(RUNTIME) != recipe_of(Base(RUNTIME.name, (*RUNTIME.packages, "less")))
