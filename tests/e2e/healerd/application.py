"""The application that healerd heals in these tests: its pods, how they are crashed, and what was said about them."""

from typing import Any

from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

SYSTEM = "selfheal-system"


def pods(cluster: SandboxProcess, namespace: str = "shop") -> list[dict[str, Any]]:
    listed = cluster.get("pods", "-n", namespace, "-l", "app=web")["items"]
    return [pod for pod in listed if not pod["metadata"].get("deletionTimestamp")]


def restarts(pod: dict[str, Any]) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))


def runs_after(cluster: SandboxProcess, name: str, crashes: int) -> bool:
    """Whether a pod has restarted that often and is ready again: until then a request may find nobody."""
    pod = next((one for one in pods(cluster) if one["metadata"]["name"] == name), None)
    assert pod is not None, f"{name} is gone after {crashes} crashes"
    return restarts(pod) >= crashes and bool(pod["status"]["containerStatuses"][0]["ready"])


def crash(cluster: SandboxProcess, name: str, *, crashes_before: int) -> None:
    """Crash a pod once it runs again after the crashes before."""
    until(lambda: runs_after(cluster, name, crashes_before), 30, f"{name} runs after {crashes_before} crashes")
    url = f"/api/v1/namespaces/shop/pods/{name}:8080/proxy/crash"
    cluster.kubectl("create", "--raw", url, "-f", "-", stdin="{}")


def events(cluster: SandboxProcess, reason: str) -> list[dict[str, Any]]:
    listed = cluster.get("events", "-n", "shop", "--field-selector", f"reason={reason}")["items"]
    return [event for event in listed if event["reportingComponent"] == "healerd"]
