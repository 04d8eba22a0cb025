"""What the suite takes over from the environment where it runs on somebody's own cluster."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from selfheal_cli.demo.stage import Stage
from tests.e2e.layers.clusters import given_images, pin_context, schedulable_nodes


def kubeconfig(folder: Path, context: str, server: str = "https://127.0.0.1:6443") -> dict[str, str]:
    """An environment with a kubeconfig of two contexts, of which one is current."""
    path = folder / "kubeconfig.yaml"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me"}} for name in (context, "somewhere-else")
        ],
        "clusters": [{"name": name, "cluster": {"server": server}} for name in (context, "somewhere-else")],
        "users": [{"name": "me", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(config))
    return {"KUBECONFIG": str(path)}


def test_the_context_of_the_start_is_kept_and_its_file_is_private(tools: Mapping[str, Path], tmp_path: Path) -> None:
    pinned = tmp_path / "pinned"

    pin_context(str(tools["kubectl"]), kubeconfig(tmp_path, "kind-kind"), pinned)

    config: dict[str, Any] = json.loads(pinned.read_text())
    assert [one["name"] for one in config["contexts"]] == ["kind-kind"]
    assert config["users"][0]["user"] == {"token": "t"}
    assert stat.S_IMODE(pinned.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("context", "server"), [("prod-eu", "https://127.0.0.1:6443"), ("kind-kind", "https://api.prod.example.com:6443")]
)
def test_what_looks_like_production_ends_the_run(
    tools: Mapping[str, Path], tmp_path: Path, context: str, server: str
) -> None:
    environ = kubeconfig(tmp_path, context, server)

    with pytest.raises(pytest.exit.Exception, match=r"looks like production .*SELFHEAL_E2E_ALLOW_PRODUCTION=1"):
        pin_context(str(tools["kubectl"]), environ, tmp_path / "pinned")
    assert not (tmp_path / "pinned").exists()

    pin_context(str(tools["kubectl"]), {**environ, "SELFHEAL_E2E_ALLOW_PRODUCTION": "1"}, tmp_path / "pinned")


def test_a_file_that_is_not_there_is_named_with_what_to_type(tools: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(pytest.exit.Exception, match="make e2e KUBECONFIG=FILE"):
        pin_context(str(tools["kubectl"]), {"KUBECONFIG": str(tmp_path / "none")}, tmp_path / "pinned")


def test_images_are_the_charts_own_unless_they_are_named() -> None:
    image = "registry.example.com/healerd:0.1.0"

    assert given_images({}) == given_images({"SELFHEAL_E2E_SERVICE_IMAGE": ""}) == {}
    assert given_images({"SELFHEAL_E2E_HEALERD_IMAGE": image}) == {"healerd": image}


def test_nodes_that_take_no_pods_do_not_count(tmp_path: Path) -> None:
    specs: dict[str, dict[str, Any]] = {
        "control-plane": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]},
        "closed": {"unschedulable": True},
        "soft": {"taints": [{"key": "x", "effect": "PreferNoSchedule"}]},
        "plain": {},
    }
    items = [{"metadata": {"name": name}, "spec": spec} for name, spec in specs.items()]
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho '{json.dumps({'items': items})}'\n")
    kubectl.chmod(0o755)

    stage = Stage(tmp_path / "kubeconfig", programs={"kubectl": str(kubectl)}, quiet=True)
    assert schedulable_nodes(stage) == ["soft", "plain"]
