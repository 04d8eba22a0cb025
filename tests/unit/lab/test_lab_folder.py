"""The folder of a lab, what is told in it, and the lab as its users see it."""

import fcntl
import threading
from pathlib import Path

import pytest

from tests.lab.errors import LabError
from tests.lab.state import URL, Lab, LabFolder, State, command, require_visible


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    made = LabFolder("mine", tmp_path / "mine")
    made.make()
    return made


def test_nothing_is_told_by_a_lab_that_does_not_run(folder: LabFolder) -> None:
    folder.write_state(State("mine", ready=True))

    assert folder.runner() is None
    assert folder.state() is None


def test_what_the_runner_tells_is_read_back(folder: LabFolder) -> None:
    state = State("mine", True, {"one": 7}, {"kubectl": "/kubectl"}, {"etcd": "ended with exit code 1"})
    with folder.claim():
        folder.write_state(state)

        assert folder.state() == state
        assert folder.runner() is not None


def test_a_lab_runs_once(folder: LabFolder) -> None:
    with folder.claim(), pytest.raises(LabError, match=r"runs already; .*tests\.lab down --name mine"), folder.claim():
        pytest.fail("two have the same lab")


def test_who_looks_whether_a_lab_runs_keeps_nobody_from_running_it(folder: LabFolder) -> None:
    with folder.lock.open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        timer = threading.Timer(0.03, fcntl.flock, (looking, fcntl.LOCK_UN))
        timer.start()
        with folder.claim():
            assert folder.runner() is not None
        timer.join()


@pytest.mark.parametrize("name", ["", "../x", "A", "-a", "a" * 41])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="--name"):
        LabFolder.of(name)


@pytest.mark.parametrize("place", ["/run/x", "/var/lib/x", "/var/log"])
def test_a_folder_that_nodes_cannot_see_is_refused(place: str) -> None:
    with pytest.raises(LabError, match="set XDG_STATE_HOME to a folder elsewhere"):
        require_visible(Path(place), "XDG_STATE_HOME")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LabError, match="set XDG_STATE_HOME"):
        LabFolder("mine", tmp_path / "file" / "mine").make()


def test_the_environment_is_the_labs_own_and_goes_through_no_proxy(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setenv("KUBECONFIG", "/somebody's")
    environment = Lab.of(folder, State("mine", True, {"one": 7})).environment()

    assert environment["KUBECONFIG"] == str(folder.kubeconfig)
    assert environment["PATH"].startswith(f"{folder.programs}:")
    assert "10.77.0.0/16" in environment["NO_PROXY"]
    assert "no_proxy" not in environment
    assert environment["HELM_DATA_HOME"].startswith(str(folder.path))


def test_a_lab_is_what_its_state_says(folder: LabFolder) -> None:
    lab = Lab.of(folder, State("mine", True, {"one": 7, "two": 8}, {"kubectl": "/kubectl"}))

    assert (lab.nodes, lab.inits["two"], lab.url) == (("one", "two"), 8, URL)
    assert lab.programs["kubectl"] == Path("/kubectl")


def test_a_command_names_only_a_lab_that_is_not_the_usual_one() -> None:
    assert command("up", "lab") == "python -m tests.lab up"
    assert command("up", "mine") == "python -m tests.lab up --name mine"
