"""The control groups of the lab's nodes, in folders that look like the kernel's."""

from pathlib import Path

import pytest

from tests.lab import cgroups
from tests.lab.errors import LabError

GROUP = cgroups.group_name("mine")


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    for controller in ("cpu", "cpuset", "memory", "unified"):
        (tmp_path / controller).mkdir()
    (tmp_path / "cpu,cpuacct").symlink_to(tmp_path / "cpu")
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1")
    return tmp_path


def test_version_1_has_a_tree_for_each_controller(version_1: Path) -> None:
    cgroups.make("mine", ["one", "two"], version_1)

    assert [tree.name for tree in cgroups.trees(version_1)] == ["cpu", "cpuset", "memory"]
    assert all((tree / GROUP / "two").is_dir() for tree in cgroups.trees(version_1))


def test_version_2_has_one_tree(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "something.slice").mkdir()

    assert cgroups.trees(tmp_path) == [tmp_path]


def test_all_of_a_lab_is_removed_and_nothing_of_another(version_1: Path) -> None:
    cgroups.make("mine", ["one"], version_1)
    cgroups.make("yours", ["one"], version_1)
    (version_1 / "unified" / GROUP / "one" / "pod").mkdir(parents=True)
    cgroups.remove("mine", version_1)

    assert cgroups.left("mine", version_1) == []
    assert len(cgroups.left("yours", version_1)) == 3


def test_processes_that_stay_are_named(version_1: Path) -> None:
    group = version_1 / "memory" / GROUP / "one"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("4711\n")

    with pytest.raises(LabError, match="processes in it: 4711"):
        cgroups.remove("mine", version_1, seconds=0)


def test_what_is_not_there_is_not_missed(version_1: Path) -> None:
    cgroups.remove("mine", version_1)
