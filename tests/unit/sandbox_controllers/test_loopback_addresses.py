"""Claiming a loopback range and giving out its addresses."""

import os
import socket
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.network.addresses import AddressPool, LoopbackRange, RangeError, runtime_folder

FIRST = 130 + os.getpid() % 60 * 2
"""Away from what sandboxes use, and different for tests that run at the same time."""
SOME = (FIRST, FIRST + 1)


def test_two_sandboxes_of_a_user_never_share_a_range(tmp_path: Path) -> None:
    with LoopbackRange.claim(tmp_path, SOME) as one, LoopbackRange.claim(tmp_path, SOME) as other:
        assert not one.network.overlaps(other.network)
        with pytest.raises(RangeError, match="selfheal-sandbox down"):
            LoopbackRange.claim(tmp_path, SOME)


def test_two_users_never_share_a_range(tmp_path: Path) -> None:
    """Different lock folders stand for different users."""
    (tmp_path / "other").mkdir()
    with LoopbackRange.claim(tmp_path, SOME) as one, LoopbackRange.claim(tmp_path / "other", SOME) as other:
        assert not one.network.overlaps(other.network)


def test_range_is_free_again_after_closing(tmp_path: Path) -> None:
    first = LoopbackRange.claim(tmp_path, SOME)
    first.close()
    first.close()
    with LoopbackRange.claim(tmp_path, SOME) as second:
        assert second.network == first.network


def test_range_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from selfheal_sandbox.network.addresses import LoopbackRange\n"
        "held = LoopbackRange.claim(pathlib.Path(sys.argv[1]), (int(sys.argv[2]),))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path), str(FIRST)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RangeError):
            LoopbackRange.claim(tmp_path, (FIRST,))
        holder.kill()
        holder.wait()
    LoopbackRange.claim(tmp_path, (FIRST,)).close()


def test_lock_file_names_its_holder_and_is_private(tmp_path: Path) -> None:
    with LoopbackRange.claim(tmp_path, SOME):
        lock = tmp_path / f"loopback-{FIRST}.lock"
        assert lock.read_text() == f"{os.getpid()}\n"
        assert lock.stat().st_mode & 0o777 == 0o600


def test_pods_and_services_have_different_halves(tmp_path: Path) -> None:
    with LoopbackRange.claim(tmp_path, SOME) as claimed:
        pod, service = IPv4Address(claimed.pods.allocate()), IPv4Address(claimed.services.allocate())
        assert pod in IPv4Network(f"127.{FIRST}.0.0/17")
        assert service in IPv4Network(f"127.{FIRST}.128.0/17")


def test_addresses_can_be_listened_on(tmp_path: Path) -> None:
    with LoopbackRange.claim(tmp_path, SOME) as claimed, socket.socket() as listening:
        listening.bind((claimed.pods.allocate(), 0))


def test_released_address_rests_as_long_as_possible() -> None:
    pool = AddressPool(IPv4Network("127.121.0.0/29"), "pod")
    first = pool.allocate()
    pool.release(first)
    others = [pool.allocate() for _ in range(5)]
    assert first not in others
    assert pool.allocate() == first


def test_full_pool_is_a_clear_refusal() -> None:
    pool = AddressPool(IPv4Network("127.121.0.0/30"), "pod")
    pool.allocate()
    pool.allocate()
    with pytest.raises(ApiError, match="no pod address is free: all 2 are taken"):
        pool.allocate()
    pool.release("10.0.0.1")


def test_runtime_folder_is_private_and_must_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = runtime_folder()
    assert folder == tmp_path / "selfheal"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rmdir()
    folder.symlink_to("/tmp")
    with pytest.raises(RangeError, match="XDG_RUNTIME_DIR"):
        runtime_folder()
