"""Put the demo into a cluster: the service as application ``app-a``, healerd, and somebody who visits the service."""

import json
from typing import Any

from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.steps import APP
from selfheal_core.files import chart

VISITS_PER_SECOND = 4
VISITOR_IMAGE = "selfheal-service:1.0"


def install(stage: Stage, *, healerd_replicas: int = 1, visitor: bool = False) -> None:
    """Install both charts, or bring them to what this version ships; returns when all pods are Ready.

    Args:
        stage: The cluster.
        healerd_replicas: 0 leaves healerd's Deployment without a pod.
        visitor: Also run a pod that asks the service a few times a second, so that there is traffic to see.

    Raises:
        NotObserved: Helm failed.
    """
    profile, system = stage.profile, stage.profile.healerd_namespace
    healerd = ("helm", "upgrade", "--install", "healerd", str(chart("healerd")), "-n", system, "--create-namespace")
    stage.show(*healerd, "--set", "knownGood.soakSeconds=5", *profile.chart_values("healerd"))
    service = ("helm", "upgrade", "--install", APP, str(chart("service")), "-n", stage.namespace, "--create-namespace")
    quick = ("--set", "shutdown.drainSeconds=1,shutdown.preStopSleepSeconds=1,shutdown.lingerSeconds=3")
    values = ("--set", "practice=true", "--set", "minReadySeconds=1", *quick, *profile.chart_values("service"))
    stage.show(*service, *values, "--wait", "--timeout", "2m")
    if healerd_replicas != 1:
        stage.show("kubectl", "-n", system, "scale", "deployment/healerd", f"--replicas={healerd_replicas}")
    stage.run("kubectl", "-n", system, "rollout", "status", "deployment/healerd", stage.timeout(60))
    if visitor:
        manifest = visitor_manifest(profile.images.get("service", VISITOR_IMAGE))
        stage.run(*stage.kubectl("apply", "-f", "-"), stdin=json.dumps(manifest))
        stage.say(f"  deployment/visitor asks {APP} {VISITS_PER_SECOND} times a second")


def visitor_manifest(image: str = VISITOR_IMAGE) -> dict[str, Any]:
    """A Deployment whose one pod asks the application's Service again and again."""
    labels = {"app": "visitor", "app.kubernetes.io/name": "visitor"}
    container = {
        "name": "visitor",
        "image": image,
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
