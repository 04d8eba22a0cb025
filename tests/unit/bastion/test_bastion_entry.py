"""The first process of the bastion's image, on folders of a test's own; accounts need root, which is asked for."""

import os
import signal
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from bastion.entry import (
    Arrivals,
    Bastion,
    close_folders,
    end_processes,
    install_host_keys,
    processes_of,
    read_operators,
    run,
)
from bastion.places import Places
from selfheal_core.errors import SelfhealError

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="gives files to other accounts, which only root can")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Folders as they are mounted, empty."""
    names = ("operators", "host_keys", "run", "homes", "journals", "sshd")
    for name in names:
        (tmp_path / name).mkdir()
    return Places(**{name: tmp_path / name for name in names})


def add(places: Places, login: str, key: str = "ssh-ed25519 AAAA", kubeconfig: str = "clusters: []") -> None:
    folder = places.operators / login
    folder.mkdir(exist_ok=True)
    (folder / "authorized_keys").write_text(key)
    (folder / "kubeconfig").write_text(kubeconfig)


def remove(places: Places, login: str) -> None:
    for file in (places.operators / login).iterdir():
        file.unlink()
    (places.operators / login).rmdir()


def test_volumes_that_come_open_to_everybody_are_closed(places: Places) -> None:
    for folder in (places.homes, places.journals):
        folder.chmod(0o1777)

    close_folders(places)

    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (places.homes, places.journals)} == {0o755}


def test_without_a_host_key_it_says_how_to_make_one(places: Places) -> None:
    with pytest.raises(SelfhealError, match=r"no host key .* ssh-keygen -t ed25519"):
        install_host_keys(places)


@pytest.mark.parametrize("folder", ["host_keys", "run"])
def test_what_to_do_differs_for_what_it_reads_and_what_it_writes(
    places: Places, folder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    key = places.host_keys / "ssh_host_ed25519_key"
    if folder == "host_keys":
        key.mkdir()
    else:
        key.write_text("secret")
        places.run.rmdir()
        places.run.touch()

    with closing(Arrivals(())) as arrivals:
        assert run(places, arrivals) == 1

    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith(f"bastion: {key}: Is a directory; " if folder == "host_keys" else f"bastion: {places.run}/")
    assert ("chown -R root:root" in said, "mount a writable folder" in said) == (
        folder == "host_keys",
        folder == "run",
    )


def test_host_keys_are_copied_so_that_only_root_reads_them(places: Places) -> None:
    (places.host_keys / "ssh_host_ed25519_key").write_text("secret")
    (places.host_keys / "ssh_host_ed25519_key.pub").write_text("public")

    (key,) = install_host_keys(places)

    assert key.read_text() == "secret"
    assert stat.S_IMODE(key.stat().st_mode) == 0o400


def test_operators_are_read_in_order_and_versions_of_the_volume_are_not_operators(places: Places) -> None:
    add(places, "bob")
    add(places, "alice")
    add(places, "..2026_11_27")

    operators, complaints = read_operators(places.operators)

    assert [one.login for one in operators] == ["alice", "bob"]
    assert complaints == []


def test_no_folder_of_operators_is_no_operator(tmp_path: Path) -> None:
    assert read_operators(tmp_path / "none") == ([], [])


@needs_root
def test_each_operator_gets_an_account_and_alone_reads_kubeconfig_home_and_journal(places: Places) -> None:
    add(places, "alice")
    add(places, "bob")

    Bastion(places).follow()

    assert (places.run / "accounts/passwd").read_text().startswith("alice:*:2000:2000::")
    assert (places.journals / "bob").stat().st_uid == 2001
    assert stat.S_IMODE((places.journals / "bob").stat().st_mode) == 0o700
    assert (places.homes / "bob").stat().st_uid == 2001
    assert places.kubeconfig("alice").stat().st_uid == 2000
    assert stat.S_IMODE(places.kubeconfig("alice").stat().st_mode) == 0o400
    assert (places.run / "operators/alice/authorized_keys").stat().st_uid == 0


@needs_root
def test_a_kubeconfig_that_changes_is_followed(places: Places) -> None:
    add(places, "alice")
    bastion = Bastion(places)
    bastion.follow()
    add(places, "alice", kubeconfig="clusters: [new]")

    bastion.follow()

    assert places.kubeconfig("alice").read_text() == "clusters: [new]"


@needs_root
def test_an_account_is_the_same_after_a_restart_with_other_operators(places: Places) -> None:
    add(places, "bob")
    Bastion(places).follow()
    add(places, "alice")

    Bastion(places).follow()

    assert "bob:*:2000:" in (places.run / "accounts/passwd").read_text()


@needs_root
def test_who_is_taken_away_has_no_account_no_key_and_no_process(
    places: Places, capfd: pytest.CaptureFixture[str]
) -> None:
    add(places, "alice")
    add(places, "bob")
    bastion = Bastion(places)
    bastion.follow()
    uid = (places.journals / "bob").stat().st_uid
    session = subprocess.Popen(["sleep", "60"], user=uid, group=uid)
    remove(places, "bob")

    bastion.follow()

    assert session.wait(10) == -signal.SIGTERM
    assert "bob" not in (places.run / "accounts/passwd").read_text()
    assert list((places.run / "operators/bob").iterdir()) == []
    assert capfd.readouterr().err.splitlines()[-1] == "bastion: operators: alice"


@needs_root
def test_a_process_that_does_not_heed_the_first_signal_ends_with_the_second() -> None:
    uid = 64_321
    stubborn = subprocess.Popen(
        ["bash", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"],
        user=uid,
        group=uid,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stubborn.stdout is not None
    assert stubborn.stdout.readline() == "ready\n"

    end_processes(uid, signal.SIGTERM)
    assert stubborn.pid in processes_of(uid)
    end_processes(uid, signal.SIGKILL)

    assert stubborn.wait(10) == -signal.SIGKILL
    stubborn.stdout.close()
