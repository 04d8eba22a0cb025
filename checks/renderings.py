"""The forms in which the charts are rendered to be checked: as they come, everything on, as little as can be."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHARTS = ROOT / "chart"
NEWEST_KUBERNETES = "1.37.0"
DEADLINE_SECONDS = 30.0

ONE_PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
DIGEST = "sha256:" + "0" * 64
EVERYWHERE = {
    "imagePullSecrets": [{"name": "registry"}],
    "image.digest": DIGEST,
    "image.tag": "1.1",
    "networkPolicy.enabled": True,
    "networkPolicy.from": [ONE_PEER],
    "serviceMonitor.enabled": True,
    "serviceMonitor.labels": {"release": "prometheus"},
    "podAnnotations": {"example.com/team": "a"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "priorityClassName": "important",
}
SERVICE_EVERYTHING = {
    **EVERYWHERE,
    "app": "web",
    "practice": True,
    "tracing.endpoint": "http://jaeger.monitoring:4318",
    "extraEnv": [{"name": "GREETING", "value": "yes"}],
    "podLabels": {"team": "a"},
    "topologySpread.whenUnsatisfiable": "DoNotSchedule",
}
HEALERD_EVERYTHING = {**EVERYWHERE, "dryRun": True, "namespaces.excluded": ["kube-public"]}
ALONE = {"autoscaling.enabled": False, "podDisruptionBudget.enabled": False, "service.enabled": False}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A chart with values; it is rendered as a release, and in a namespace, of its own name.

    Attributes:
        name: of the rendering.
        chart: folder under ``chart/``.
        values: by path, such as ``service.enabled``.
    """

    name: str
    chart: str
    values: Mapping[str, object] = field(default_factory=dict)


RENDERINGS = (
    Rendering("service-default", "service"),
    Rendering("service-everything", "service", SERVICE_EVERYTHING),
    Rendering("service-canary", "service", {**ALONE, "app": "web", "track": "canary"}),
    Rendering("service-least", "service", {**ALONE, "replicas": 1, "shutdown.preStopSleepSeconds": 0}),
    Rendering("healerd-default", "healerd"),
    Rendering("healerd-everything", "healerd", HEALERD_EVERYTHING),
)


class RenderError(Exception):
    """What helm said when it refused."""


def render(helm: Path | str, rendering: Rendering, *, kubernetes: str = NEWEST_KUBERNETES) -> str:
    """Return the manifests of a rendering as YAML documents.

    Raises:
        RenderError: helm refused, did not run or took too long.
    """
    command = [str(helm), "template", rendering.name, str(CHARTS / rendering.chart), "--namespace", rendering.name]
    command += ["--kube-version", kubernetes]
    command += [f"--set-json={path}={json.dumps(value)}" for path, value in rendering.values.items()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RenderError(f"{rendering.name}: {error}") from None
    if done.returncode != 0:
        raise RenderError(f"{rendering.name}: {done.stderr.strip()}")
    return done.stdout
