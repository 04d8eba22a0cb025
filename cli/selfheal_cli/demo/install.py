"""Put the demo into a cluster: the service as application ``app-a``, and healerd."""

from selfheal_core.files import chart

from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.steps import APP

HEALERD_NAMESPACE = "selfheal-system"


def install(stage: Stage, *, healerd_replicas: int = 1) -> None:
    """Install both charts, or bring them to what this version ships; returns when all pods are Ready.

    Args:
        stage: The cluster.
        healerd_replicas: 0 leaves healerd's Deployment without a pod.

    Raises:
        NotObserved: Helm failed.
    """
    wait = ("--wait", "--timeout", "2m")
    values = ("--set", "practice=true", "--set", "minReadySeconds=1")
    stage.show(
        *("helm", "upgrade", "--install", "healerd", str(chart("healerd")), "-n", HEALERD_NAMESPACE),
        *("--create-namespace", "--set", f"replicas={healerd_replicas}", "--set", "knownGood.soakSeconds=5"),
    )
    stage.show(
        *("helm", "upgrade", "--install", APP, str(chart("service")), "-n", stage.namespace, "--create-namespace"),
        *(*values, *wait),
    )
    rollout = ("rollout", "status", "deployment/healerd", "--timeout=60s")
    stage.run("kubectl", "-n", HEALERD_NAMESPACE, *rollout)
