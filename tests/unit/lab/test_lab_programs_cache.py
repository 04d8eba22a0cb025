"""Building the lab's programs, with a compiler that is a few lines of shell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.errors import LabError
from tests.lab.programs import PACKAGES, explain, key, programs

BUILDS = """\
#!/bin/sh
case "$1" in
version) echo "go version go1.0 linux/amd64" ;;
build) while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done; echo built >>"$LOG"; echo program >"$out" ;;
esac
"""
FAILS = """\
#!/bin/sh
[ "$1" = version ] && exec echo "go version go1.0 linux/amd64"
echo "# some/package" >&2
echo "$COMPLAINT" >&2
exit 1
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a script in the place of the compiler."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))

    def become(script: str) -> None:
        (tmp_path / "go").write_text(script)
        (tmp_path / "go").chmod(0o755)

    return become


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_program_is_built_once(go: Callable[[str], None], cache: Path, tmp_path: Path) -> None:
    go(BUILDS)
    said: list[str] = []
    first = programs(["etcd", "kwok"], said.append, cache)
    again = programs(["kwok"], said.append, cache)

    assert first["kwok"] == again["kwok"]
    assert first["kwok"].read_text() == "program\n"
    assert (tmp_path / "log").read_text() == "built\nbuilt\n"
    assert said[0] == "building etcd (1 of 2)"


def test_a_build_that_was_stopped_goes_on_with_what_is_missing(
    go: Callable[[str], None], cache: Path, tmp_path: Path
) -> None:
    go(BUILDS)
    programs(["etcd"], print, cache)
    said: list[str] = []
    programs(["etcd", "kwok"], said.append, cache)

    assert said[0] == "building kwok (1 of 1)"


def test_a_build_that_fails_leaves_nothing_half_done(
    go: Callable[[str], None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(FAILS)
    monkeypatch.setenv("COMPLAINT", "undefined: something")
    with pytest.raises(LabError, match="etcd cannot be built: undefined: something"):
        programs(["etcd"], print, cache)

    assert {path.name for path in cache.rglob("*") if path.is_file()} == {".lock"}
    assert not list(cache.rglob(".building-*"))


def test_a_full_disk_is_one_sentence_with_what_to_set(
    go: Callable[[str], None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(FAILS)
    monkeypatch.setenv("COMPLAINT", "link: write a.out: no space left on device")

    with pytest.raises(LabError, match=r"no space left while building etcd .*set XDG_CACHE_HOME"):
        programs(["etcd"], print, cache)


def test_a_missing_network_is_told_from_a_program_that_is_wrong() -> None:
    said = explain("etcd", "go: x@v1: Get https://proxy/x: dial tcp: lookup proxy: no such host\n", Path("/cache"))

    assert "modules cannot be had" in said
    assert "go env GOPROXY" in said


def test_a_cache_that_cannot_be_written_is_named(go: Callable[[str], None], tmp_path: Path) -> None:
    go(BUILDS)
    (tmp_path / "file").touch()

    with pytest.raises(LabError, match=r"cannot write to .*set XDG_CACHE_HOME"):
        programs(["etcd"], print, tmp_path / "file")


def test_a_machine_without_a_compiler_is_told_where_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError, match=r"go is missing.*https://go.dev"):
        programs(["etcd"], print, tmp_path)


def test_an_unknown_program_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"unknown program 'etc'; known: .*etcd"):
        programs(["etc"], print, tmp_path)


def test_another_compiler_makes_other_programs() -> None:
    assert key("go1") != key("go2")


def test_the_first_process_of_pods_is_ours_and_all_else_is_pinned() -> None:
    assert [name for name, package in PACKAGES.items() if package.startswith("./")] == ["pause"]
