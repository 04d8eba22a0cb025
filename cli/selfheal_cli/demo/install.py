"""Put the demo into a cluster: the service as application ``app-a``, and healerd."""

from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.steps import APP
from selfheal_core.files import chart

HEALERD_NAMESPACE = "selfheal-system"


def install(stage: Stage, *, healerd_replicas: int = 1) -> None:
    """Install both charts, or bring them to what this version ships; returns when all pods are Ready.

    Args:
        stage: The cluster.
        healerd_replicas: 0 leaves healerd's Deployment without a pod.

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
