import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_sandbox.tools.fetch import FetchError, is_intact, unpack
from selfheal_sandbox.tools.resolve import available, exactly, obtain, on_path, resolve, tools_folder
from selfheal_sandbox.tools.versions import (
    HELM,
    KUBECTL,
    OLDER_HELM,
    OLDER_KUBECTL,
    Tool,
    is_new_enough,
    parse_version,
    pinned,
    version_of,
)

PROGRAM = b"#!/bin/sh\necho v4.3.1\n"
FAKE_HELM = replace(HELM, sha256=hashlib.sha256(PROGRAM).hexdigest())


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def wheel(folder: Path, members: dict[str, bytes]) -> Path:
    """A wheel built like the real one."""
    layer, package = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as inner:
        for name, data in members.items():
            inner.writestr(name, data)
    with tarfile.open(fileobj=package, mode="w:gz") as middle:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        middle.addfile(entry, io.BytesIO(layer.getvalue()))
    path = folder / "tools.whl"
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("aws_cdk/_jsii/layer@2.0.0.jsii.tgz", package.getvalue())
    return path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v4.3.1+g1234567", (4, 3, 1)),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", (1, 32, 4)),
        ("v3.17", (3, 17, 0)),
        ("command not found", None),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(("version", "expected"), [((3, 16, 9), False), ((3, 17, 0), True), ((4, 0, 0), True)])
def test_old_versions_are_not_used(version: tuple[int, int, int], expected: bool) -> None:
    assert is_new_enough(HELM, version) is expected
    assert not is_new_enough(HELM, None)


def test_a_program_that_fails_has_no_version(tmp_path: Path) -> None:
    assert version_of(HELM, program(tmp_path / "helm", "echo v4.3.1")) == (4, 3, 1)
    assert version_of(HELM, program(tmp_path / "bad", "echo v4.3.1; exit 1")) is None
    assert version_of(HELM, tmp_path / "none") is None


def test_the_programs_are_taken_out_of_the_wheel(tmp_path: Path) -> None:
    assert unpack(wheel(tmp_path, {"helm/helm": PROGRAM}), [FAKE_HELM]) == {FAKE_HELM: PROGRAM}


def test_a_program_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"helm in tools\.whl is not the file it should be"):
        unpack(wheel(tmp_path, {"helm/helm": PROGRAM}), [HELM])


def test_a_wheel_that_is_built_in_another_way_is_told(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="does not hold what it should"):
        unpack(wheel(tmp_path, {"bin/helm": PROGRAM}), [FAKE_HELM])


def test_path_is_preferred_to_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "bin" / "helm", "echo v3.18.0")
    monkeypatch.setenv("PATH", str(found.parent))

    assert resolve((HELM,), tmp_path / "cache") == {"helm": found}


def test_an_old_program_on_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin" / "helm", "echo v3.16.0").parent))
    cached = tmp_path / "cache" / "helm"
    cached.parent.mkdir()
    cached.write_bytes(PROGRAM)
    cached.chmod(0o755)

    assert on_path(HELM) is None
    assert available(FAKE_HELM, cached.parent) == cached
    assert available(FAKE_HELM, cached.parent) == cached  # now by the note beside it


def test_a_file_in_the_cache_that_was_changed_is_not_used(tmp_path: Path) -> None:
    cached = tmp_path / "helm"
    cached.write_bytes(PROGRAM)
    cached.chmod(0o755)
    assert is_intact(FAKE_HELM, cached)

    cached.write_bytes(b"#!/bin/sh\necho stolen\n")

    assert not is_intact(FAKE_HELM, cached)


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64")])
def test_what_cannot_be_had_is_named_with_what_to_do(tmp_path: Path, system: str, machine: str) -> None:
    with pytest.raises(FetchError) as raised:
        obtain((HELM, KUBECTL), tmp_path, system, machine)

    message = str(raised.value)
    assert message.startswith("helm 3.17 or newer and kubectl 1.30 or newer missing, and there is none to download")
    assert "put helm 3.17 or newer and kubectl 1.30 or newer on PATH" in message
    assert "\n" not in message


def test_tools_folder_follows_the_desktop_rules() -> None:
    assert tools_folder({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/selfheal/tools")
    assert tools_folder({"HOME": "/h"}) == Path("/h/.cache/selfheal/tools")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("helm", HELM),
        ("helm@4", HELM),
        ("helm@3.17", OLDER_HELM),
        ("helm@3.17.2", OLDER_HELM),
        ("kubectl@1.32", OLDER_KUBECTL),
        ("kubectl@1.37.1", KUBECTL),
    ],
)
def test_a_version_may_be_shortened(asked: str, expected: Tool) -> None:
    assert pinned(asked) == expected


@pytest.mark.parametrize("asked", ["helm@3.1", "kubectl@2", "k9s", "@1.32"])
def test_an_unknown_version_is_told_with_those_there_are(asked: str) -> None:
    with pytest.raises(ValueError, match=r"unknown tool .*; known: helm@4\.3\.1, .*kubectl@1\.32\.3"):
        pinned(asked)


def test_versions_are_kept_side_by_side(tmp_path: Path) -> None:
    older = replace(OLDER_HELM, sha256=FAKE_HELM.sha256)
    for tool in (FAKE_HELM, older):
        program_file = tmp_path / tool.file
        program_file.write_bytes(PROGRAM)
        program_file.chmod(0o755)

    assert exactly(FAKE_HELM, tmp_path) == tmp_path / "helm"
    assert exactly(older, tmp_path) == tmp_path / "helm-3.17.2"
