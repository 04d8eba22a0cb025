import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selfheal_sandbox.state import Folder, ServerInfo, StateError, command, end, state_home

INFO = ServerInfo("default", 4242, "https://127.0.0.1:1", 1.0, 3, "2026-01-02T03:04:05Z")

# Claims a folder, says so, and waits; with "deaf" it does not end at SIGTERM.
HOLDER = """
import os, signal, sys
from pathlib import Path
from selfheal_sandbox.state import Folder, ServerInfo
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
claim = Folder.of("default", Path(sys.argv[1])).claim()
info = ServerInfo("default", os.getpid(), "https://127.0.0.1:1", 1.0, 3, "now")
claim.folder.server_info.write_text(info.to_json())
claim.folder.kubeconfig.write_text("x")
print("claimed", flush=True)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.of("default", tmp_path)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts processes that hold the folder; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", HOLDER, str(tmp_path), kind]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_state_home_follows_the_desktop_rules() -> None:
    assert state_home({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/selfheal/sandbox")
    assert state_home({"HOME": "/h"}) == Path("/h/.local/state/selfheal/sandbox")


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a-", "a" * 41])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(StateError, match="a name has 1 to 40"):
        Folder.of(name)


def test_one_name_runs_once(folder: Folder) -> None:
    claim = folder.claim()
    assert folder.is_running()

    with pytest.raises(StateError, match=r"sandbox 'default' runs already; end it with: selfheal-sandbox down$"):
        folder.claim()

    claim.release()
    claim.release()
    assert not folder.is_running()
    folder.claim().release()


def test_two_names_do_not_meet(tmp_path: Path) -> None:
    first, second = Folder.of("a", tmp_path).claim(), Folder.of("b", tmp_path).claim()

    first.release()
    assert second.folder.is_running()
    second.release()


def test_the_folder_is_private_and_empty_after_the_end(folder: Folder) -> None:
    claim = folder.claim()
    folder.server_info.write_text(INFO.to_json())
    (folder.pods / "x").mkdir(parents=True)
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.info() == INFO

    claim.release()

    assert sorted(path.name for path in folder.path.iterdir()) == ["lock"]
    assert folder.info() is None


def test_what_a_killed_sandbox_left_is_not_taken_for_a_running_one(
    folder: Folder, holder: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = holder("kind")
    assert folder.info() is not None
    process.kill()
    process.wait(5)

    assert folder.server_info.exists()
    assert folder.info() is None
    assert folder.clear_if_stale() is True
    assert folder.clear_if_stale() is False
    assert not folder.kubeconfig.exists()


def test_clearing_never_touches_a_running_sandbox(
    folder: Folder, holder: Callable[[str], subprocess.Popen[str]]
) -> None:
    holder("kind")

    assert folder.clear_if_stale() is False
    assert folder.kubeconfig.exists()


@pytest.mark.parametrize("kind", ["kind", "deaf"])
def test_ending_is_kind_first_and_hard_then(
    folder: Folder, holder: Callable[[str], subprocess.Popen[str]], kind: str
) -> None:
    holder(kind)
    info = folder.info()
    assert info is not None

    assert end(folder, info, term_seconds=0.3) is True

    assert not folder.is_running()
    assert sorted(path.name for path in folder.path.iterdir()) == ["lock"]


def test_a_broken_server_file_means_not_ready(folder: Folder) -> None:
    claim = folder.claim()

    for text in ("", "[]", '{"name": "x"}'):
        folder.server_info.write_text(text)
        assert folder.info() is None
    claim.release()


def test_commands_name_the_sandbox_unless_it_is_the_default() -> None:
    assert command("down", "default") == "selfheal-sandbox down"
    assert command("down", "x") == "selfheal-sandbox down --name x"
