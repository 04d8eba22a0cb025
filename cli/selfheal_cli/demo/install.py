"""Put the demo into a cluster: the service as application ``app-a``, healerd, and somebody who visits the service."""

import json
from typing import Any

from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.steps import APP
from selfheal_core.files import chart

HEALERD_NAMESPACE = "selfheal-system"


VISITS_PER_SECOND = 4


def install(stage: Stage, *, healerd_replicas: int = 1, visitor: bool = False) -> None:
    """Install both charts, or bring them to what this version ships; returns when all pods are Ready.

    Args:
        stage: The cluster.
        healerd_replicas: 0 leaves healerd's Deployment without a pod.
        visitor: Also run a pod that asks the service a few times a second, so that there is traffic to see.

    Raises:
        NotObserved: Helm failed.
    """
    healerd = ("helm", "upgrade", "--install", "healerd", str(chart("healerd")), "-n", HEALERD_NAMESPACE)
    stage.show(*healerd, "--create-namespace", "--set", "knownGood.soakSeconds=5")
    service = ("helm", "upgrade", "--install", APP, str(chart("service")), "-n", stage.namespace)
    quick = ("--set", "shutdown.drainSeconds=1,shutdown.preStopSleepSeconds=1,shutdown.lingerSeconds=3")
    values = ("--set", "practice=true", "--set", "minReadySeconds=1", *quick)
    stage.show(*service, "--create-namespace", *values, "--wait", "--timeout", "2m")
    deployment = ("kubectl", "-n", HEALERD_NAMESPACE)
    if healerd_replicas != 1:
        stage.show(*deployment, "scale", "deployment/healerd", f"--replicas={healerd_replicas}")
    stage.run(*deployment, "rollout", "status", "deployment/healerd", "--timeout=60s")
    if visitor:
        stage.run(*stage.kubectl("apply", "-f", "-"), stdin=json.dumps(visitor_manifest()))
        stage.say(f"  deployment/visitor asks {APP} {VISITS_PER_SECOND} times a second")


def visitor_manifest() -> dict[str, Any]:
    """A Deployment whose one pod asks the application's Service again and again."""
    labels = {"app": "visitor", "app.kubernetes.io/name": "visitor"}
    container = {
        "name": "visitor",
        "image": "selfheal-service:1.0",
        "args": ["visit", f"http://{APP}:8080/", "--per-second", str(VISITS_PER_SECOND)],
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod_security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"automountServiceAccountToken": False, "securityContext": pod_security, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "visitor", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "visitor"}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
