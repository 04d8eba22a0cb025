"""Objects for the scenarios: a Deployment of a shell or of the demo service, and what goes with it."""

from typing import Any

SERVICE_IMAGE = "selfheal-service:1.0"


def shell(script: str, **more: Any) -> dict[str, Any]:
    """A container that runs a script."""
    return {"name": "main", "image": "busybox:1", "command": ["/bin/sh", "-c", script], **more}


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod that ends quickly when it is deleted."""
    body = {"terminationGracePeriodSeconds": 1, "containers": list(containers), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}


def deployment(name: str, replicas: int, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A Deployment whose pods carry the label ``app``."""
    template = pod(name, *containers)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": template["spec"]},
            **spec,
        },
    }


def budget(name: str, **spec: Any) -> dict[str, Any]:
    """A PodDisruptionBudget for the pods of a Deployment."""
    selector = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": selector, **spec},
    }


def autoscaler(name: str, most: int) -> dict[str, Any]:
    """An autoscaler for a Deployment: 70 % of the CPU request, down again after a minute (divided by the speed)."""
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": metric}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        },
    }


def http_get(path: str, **numbers: Any) -> dict[str, Any]:
    """A probe of the demo service, once a second."""
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, **numbers}


def practice_service(**more: Any) -> dict[str, Any]:
    """A container with the demo service and its practice switches."""
    return {
        "name": "main",
        "image": SERVICE_IMAGE,
        "env": [
            {"name": "SELFHEAL_SERVICE_PRACTICE", "value": "true"},
            {"name": "SELFHEAL_SERVICE_DRAIN_SECONDS", "value": "0"},
        ],
        "readinessProbe": http_get("/ready", failureThreshold=1),
        **more,
    }
