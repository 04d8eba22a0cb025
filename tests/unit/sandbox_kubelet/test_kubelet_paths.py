from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.kubelet.paths import PathMap
from selfheal_sandbox.kubelet.service_names import ServiceNames

MAP = PathMap({"/etc/app": Path("/pods/1/volumes/config"), "/etc/app/keys": Path("/pods/1/volumes/keys")})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/app", "/pods/1/volumes/config"),
        ("/etc/app/x.yaml", "/pods/1/volumes/config/x.yaml"),
        ("/etc/app/keys/k", "/pods/1/volumes/keys/k"),
        ("--config=/etc/app/x.yaml", "--config=/pods/1/volumes/config/x.yaml"),
        ("cat /etc/app/a '/etc/app/b'", "cat /pods/1/volumes/config/a '/pods/1/volumes/config/b'"),
        ("/usr/bin:/etc/app", "/usr/bin:/pods/1/volumes/config"),
        ("file:///etc/app/x", "file:///pods/1/volumes/config/x"),
        ("/var/etc/app", "/var/etc/app"),
        ("/etc/application", "/etc/application"),
        ("/etc/app.d", "/etc/app.d"),
        ("/etc/app-2", "/etc/app-2"),
        ("http://host/etc/app", "http://host/etc/app"),
        ("etc/app", "etc/app"),
    ],
)
def test_mount_paths_are_replaced_at_the_start_of_a_path(text: str, expected: str) -> None:
    assert MAP.rewrite(text) == expected


def test_without_mounts_nothing_changes() -> None:
    assert PathMap({}).rewrite("/etc/app") == "/etc/app"


def test_a_trailing_slash_of_a_mount_path_means_nothing() -> None:
    assert PathMap({"/data/": Path("/v")}).rewrite("/data/x") == "/v/x"


def test_working_directory_lies_under_a_volume_or_the_container() -> None:
    root = Path("/pods/1/root")

    assert MAP.working_directory("/etc/app/sub", root) == Path("/pods/1/volumes/config/sub")
    assert MAP.working_directory("/srv/app", root) == Path("/pods/1/root/srv/app")


def service(namespace: str, name: str, address: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"clusterIP": address}}


NAMES = ServiceNames(
    [service("shop", "web", "127.64.1.1"), service("ops", "prom", "127.64.1.2"), service("shop", "db", "None")],
    "shop",
    lambda _, port: port + 10000 if port < 1024 else port,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://web:8080/x", "http://127.64.1.1:8080/x"),
        ("http://web", "http://127.64.1.1:10080"),
        ("http://web:80/", "http://127.64.1.1:10080/"),
        ("https://web.shop/", "https://127.64.1.1:10443/"),
        ("http://prom.ops.svc:9090", "http://127.64.1.2:9090"),
        ("http://prom.ops.svc.cluster.local:9090/-/ready", "http://127.64.1.2:9090/-/ready"),
        ("wget -q http://web:8080/ -O-", "wget -q http://127.64.1.1:8080/ -O-"),
        ("prom.ops.svc:9090", "127.64.1.2:9090"),
        ("prom.ops.svc.cluster.local", "127.64.1.2"),
        ("http://prom:9090", "http://prom:9090"),
        ("http://db:80", "http://db:80"),
        ("http://web.example.com/", "http://web.example.com/"),
        ("http://example.com/web", "http://example.com/web"),
        ("web:8080", "web:8080"),
        ("web", "web"),
        ("prom.ops.svc.example", "prom.ops.svc.example"),
    ],
)
def test_names_of_services_become_addresses(text: str, expected: str) -> None:
    assert NAMES.resolve(text) == expected
