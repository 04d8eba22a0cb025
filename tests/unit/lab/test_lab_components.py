"""The programs of a lab: how they are started, how they ended, and their logs."""

from pathlib import Path

import pytest

from tests.lab.components import Component, Components, cut, describe, environment, tail
from tests.lab.errors import LabError


def test_one_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    components = Components(tmp_path)
    components.start(Component("etcd", None, ["sh", "-c", "echo first; echo no such disk; exit 3"]))
    components.start(Component("kube-apiserver", None, ["sh", "-c", "echo no etcd; exit 1"]))
    components.wait(5)

    with pytest.raises(LabError) as caught:
        components.require_all()
    assert str(caught.value) == "etcd ended with exit code 3; the end of its log:\n  first\n  no such disk"


def test_those_that_ended_are_started_again_and_the_others_left_alone(tmp_path: Path) -> None:
    components = Components(tmp_path)
    killed = components.start(Component("killed", None, ["sleep", "60"]))
    killed.kill()
    killed.wait(5)
    components.start(Component("runs", None, ["sleep", "60"]))

    try:
        assert components.ended() == {"killed": "was ended by signal 9"}
        assert components.restart_ended() == ["killed"]
        assert components.ended() == {}
    finally:
        components.kill()
        components.wait(5)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "ended with exit code 0"),
        (1, "ended with exit code 1"),
        (-9, "was ended by signal 9"),
        (137, "was ended by signal 9"),
        (255, "ended with exit code 255"),
    ],
)
def test_how_one_ended_is_said_in_words(code: int, said: str) -> None:
    assert describe(code) == said


def test_components_do_not_see_the_hosts_proxies_and_find_system_programs() -> None:
    seen = environment({"PATH": "/bin", "https_proxy": "http://x", "KUBECONFIG": "/y", "LANG": "C"})

    assert seen == {"PATH": "/bin:/usr/sbin:/sbin", "LANG": "C"}


def test_a_large_log_keeps_its_end_and_starts_anew(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("a" * 90 + "b" * 30)
    cut(log, 100)

    assert log.read_text() == ""
    assert (tmp_path / "etcd.old.log").read_text() == "b" * 25


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("a" * 100)
    cut(log, 100)
    cut(tmp_path / "missing.log", 100)

    assert log.read_text() == "a" * 100


def test_very_long_lines_are_cut_where_they_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("x" * 5000)

    assert len(tail(log)) < 500
    assert tail(tmp_path / "missing.log") == "  (nothing)"
