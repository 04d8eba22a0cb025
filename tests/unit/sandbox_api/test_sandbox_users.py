"""Users made for a sandbox: what is written, who may read it, and how a running sandbox learns of it."""

from pathlib import Path

import pytest
import yaml

from selfheal_sandbox import users
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.state import Folder, StateError
from selfheal_sandbox.users import TokenFile, User, UserFiles

BOB = User("token-of-bob", "bob", "shop")
EVE = User("token-of-eve", "eve", "default")


@pytest.fixture
def sandbox(tmp_path: Path) -> Folder:
    folder = Folder.of("play", tmp_path)
    folder.path.mkdir()
    return folder


def write(sandbox: Folder, *made: User) -> UserFiles:
    files = UserFiles.of(sandbox)
    with files.locked():
        files.write({user.name: user for user in made})
    return files


def test_users_are_read_as_they_were_written_and_are_private(sandbox: Folder) -> None:
    files = write(sandbox, BOB, EVE)

    assert files.read() == {"bob": BOB, "eve": EVE}
    assert files.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in files.folder.iterdir()} == {0}


def test_a_running_sandbox_learns_of_users_that_are_made(sandbox: Folder) -> None:
    known = TokenFile(UserFiles.of(sandbox))
    assert known.authenticate(BOB.token) is None

    write(sandbox, BOB)
    assert known.authenticate(BOB.token) == Identity("bob", ("system:authenticated",))
    assert known.authenticate(EVE.token) is None

    write(sandbox, BOB, EVE)
    assert known.authenticate(EVE.token) == Identity("eve", ("system:authenticated",))

    write(sandbox, EVE)
    assert known.authenticate(BOB.token) is None


def test_lines_that_are_no_users_are_left_out(sandbox: Folder) -> None:
    files = write(sandbox, BOB)
    files.tokens.write_text(f"just-a-token\n{files.tokens.read_text()}\n,,,,\n")

    assert files.read() == {"bob": BOB}
    assert TokenFile(files).authenticate("just-a-token") is None


def test_a_start_brings_the_kubeconfigs_up_to_date(sandbox: Folder) -> None:
    files = write(sandbox, BOB)

    users.refresh(sandbox, "https://127.0.0.1:7", b"CA")

    path = files.kubeconfig("bob")
    found = yaml.safe_load(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert found["current-context"] == "selfheal-sandbox-play-bob"
    assert found["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:7"
    assert found["contexts"][0]["context"] == {
        "cluster": "selfheal-sandbox-play-bob",
        "user": "bob",
        "namespace": "shop",
    }
    assert found["users"] == [{"name": "bob", "user": {"token": BOB.token}}]


def test_without_users_there_is_nothing_to_bring_up_to_date(sandbox: Folder) -> None:
    users.refresh(sandbox, "https://127.0.0.1:7", b"CA")

    assert list(sandbox.path.iterdir()) == []


@pytest.mark.parametrize("name", ["bob", "b", "on-call", "bob@example.org", "a_b.c", "0" * 63])
def test_names_that_a_user_may_have(name: str) -> None:
    assert users.checked_name(name) == name


@pytest.mark.parametrize("name", ["", "Bob", "system:masters", "../x", "-bob", "bob-", "a" * 64, "a b", "é", "a/b"])
def test_names_that_would_be_somebody_else_or_somewhere_else(name: str) -> None:
    with pytest.raises(StateError, match="--as"):
        users.checked_name(name)
