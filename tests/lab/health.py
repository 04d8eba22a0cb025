"""Whether a lab's API answers, its nodes are ready and its add-ons run: asked through kubectl, then judged."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.lab.components import environment

Object = Mapping[str, Any]
REQUEST_SECONDS = 5.0
NODES = "/api/v1/nodes"
ADDONS = "/apis/apps/v1/namespaces/kube-system/deployments"
AGGREGATED = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"


def read(kubectl: Path, kubeconfig: Path, path: str) -> str | None:
    """Return the API server's answer to a GET; None if there is none, or it is no success."""
    request = ["get", "--raw", path, f"--kubeconfig={kubeconfig}"]
    try:
        done = subprocess.run(
            [str(kubectl), *request],
            capture_output=True,
            text=True,
            timeout=REQUEST_SECONDS,
            env=environment(os.environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def read_object(kubectl: Path, kubeconfig: Path, path: str) -> Mapping[str, Any]:
    """Return an object of the API; an empty one if it cannot be had."""
    answer = read(kubectl, kubeconfig, path)
    return {} if answer is None else json.loads(answer)


def not_ready(nodes: Mapping[str, Any], wanted: Iterable[str]) -> list[str]:
    """Return which nodes of those wanted are not Ready in a NodeList."""
    ready = {node["metadata"]["name"] for node in nodes.get("items", ()) if _condition(node, "Ready")}
    return [name for name in wanted if name not in ready]


def unavailable(deployments: Mapping[str, Any], wanted: Iterable[str]) -> list[str]:
    """Return which Deployments of those wanted are not Available in a DeploymentList."""
    available = {one["metadata"]["name"] for one in deployments.get("items", ()) if _condition(one, "Available")}
    return [name for name in wanted if name not in available]


def is_served(api_service: Mapping[str, Any]) -> bool:
    """Return whether an APIService is Available."""
    return _condition(api_service, "Available")


def _condition(found: Mapping[str, Any], kind: str) -> bool:
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)
