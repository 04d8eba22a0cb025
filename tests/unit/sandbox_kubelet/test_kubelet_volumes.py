import base64
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.kubelet.unsupported import unsupported
from selfheal_sandbox.kubelet.volumes import (
    MountError,
    ServiceAccountFiles,
    VolumeContext,
    VolumeFile,
    files_of,
    service_account_files,
    write,
)

OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", "settings"): {
        "metadata": {"name": "settings"},
        "data": {"a.yaml": "x: 1"},
        "binaryData": {"b.bin": base64.b64encode(b"\x00\x01").decode()},
    },
    ("secrets", "keys"): {"metadata": {"name": "keys"}, "data": {"token": base64.b64encode(b"abc").decode()}},
}
POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "shop", "labels": {"app": 'w"eb'}},
    "spec": {"containers": [{"name": "c", "resources": {"requests": {"memory": "1Mi"}}}]},
}
CONTEXT = VolumeContext(
    pod=POD,
    lookup=lambda plural, name: OBJECTS.get((plural, name)),
    allocatable={"cpu": "2"},
    service_account=lambda: ServiceAccountFiles("tok", b"CA"),
)


def files(**source: Any) -> dict[str, tuple[bytes, int]]:
    return {file.path: (file.content, file.mode) for file in files_of({"name": "v", **source}, CONTEXT)}


def test_config_map_and_secret_files() -> None:
    assert files(configMap={"name": "settings"}) == {"a.yaml": (b"x: 1", 0o644), "b.bin": (b"\x00\x01", 0o644)}
    assert files(secret={"secretName": "keys", "defaultMode": 0o400}) == {"token": (b"abc", 0o400)}


def test_items_choose_and_rename() -> None:
    items = [{"key": "a.yaml", "path": "conf/x.yaml", "mode": 0o600}]

    assert files(configMap={"name": "settings", "items": items}) == {"conf/x.yaml": (b"x: 1", 0o600)}


def test_downward_api_files() -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "memory", "resourceFieldRef": {"containerName": "c", "resource": "requests.memory"}},
    ]

    assert files(downwardAPI={"items": items}) == {
        "labels": (b'app="w\\"eb"', 0o644),
        "memory": (b"1048576", 0o644),
    }


def test_projected_sources_share_a_folder() -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "a"}]}},
    ]

    assert files(projected={"sources": sources}) == {"token": (b"tok", 0o644), "a": (b"x: 1", 0o644)}


def test_an_empty_dir_has_no_files() -> None:
    assert files(emptyDir={}) == {}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"configMap": {"name": "none"}}, 'MountVolume.SetUp failed for volume "v" : configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"configMap": {"name": "settings", "items": [{"key": "no", "path": "x"}]}}, "non-existent configmap key: no"),
        ({"configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "../x"}]}}, "invalid path: ../x"),
        ({"configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "/x"}]}}, "invalid path: /x"),
    ],
)
def test_what_cannot_be_mounted_is_told(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(MountError) as raised:
        files(**source)

    assert problem in str(raised.value)


def test_optional_sources_may_be_missing() -> None:
    assert files(configMap={"name": "none", "optional": True}) == {}


def test_service_account_files() -> None:
    found = service_account_files(POD, ServiceAccountFiles("tok", b"CA"))

    assert [(file.path, file.content) for file in found] == [
        ("token", b"tok"),
        ("ca.crt", b"CA"),
        ("namespace", b"shop"),
    ]


def test_an_update_replaces_all_files_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    write(folder, [VolumeFile("a", b"1"), VolumeFile("dir/b", b"1", 0o600)])
    before = (folder / "..data").resolve()
    write(folder, [VolumeFile("a", b"2"), VolumeFile("c", b"2")])

    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == {"a": b"2", "c": b"2"}
    assert not before.exists()
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("..")) == ["a", "c"]


def test_modes_are_kept(tmp_path: Path) -> None:
    write(tmp_path, [VolumeFile("key", b"x", 0o400)])

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volume v: hostPath is refused"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {}}]}, "persistentVolumeClaim is refused"),
        ({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}, "privileged is refused"),
        ({"containers": [{"name": "c", "livenessProbe": {"grpc": {"port": 1}}}]}, "livenessProbe.grpc is refused"),
        ({"hostNetwork": True}, "hostNetwork is refused"),
        ({"initContainers": [{"name": "i", "tty": True}]}, "container i: tty is refused"),
        ({"initContainers": [{"name": "i", "restartPolicy": "Never"}]}, "container i: a restart policy of its own"),
        ({"containers": [{"name": "c", "restartPolicy": "Always"}]}, "container c: a restart policy of its own"),
    ],
)
def test_what_the_sandbox_does_not_have_is_named(spec: dict[str, Any], reason: str) -> None:
    found = unsupported({"metadata": {"name": "p"}, "spec": spec})

    assert len(found) == 1
    assert reason in found[0]


def test_ordinary_pods_are_supported() -> None:
    spec = {
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "plain"}, {"name": "c", "configMap": {"name": "x"}}],
        "containers": [{"name": "c", "securityContext": {"readOnlyRootFilesystem": True, "runAsUser": 1000}}],
    }

    assert unsupported({"metadata": {"name": "p"}, "spec": spec}) == []
