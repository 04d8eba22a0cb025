"""The clusters that the story can be played on by tests: a sandbox, the lab, and whatever KUBECONFIG names."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from selfheal_cli.demo.cluster_profile import ClusterProfile
from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.story import SPEED, programs
from selfheal_core import __version__
from tests.e2e.layers.context_guard import ALLOW, refusal
from tests.e2e.rights import Asked, in_audit_log, in_request_log
from tests.e2e.sandbox_process import start_sandbox

if TYPE_CHECKING:
    from tests.lab.state import Lab

LAB_PATIENCE = 3.0
"""Back-off before the fourth restart is 40 s, and a measure of CPU up to 10 s old: a few seconds in the sandbox."""
KUBECONFIG_PATIENCE = 5.0
"""As the lab, and images may have to be pulled."""
SERVICE_IMAGE, HEALERD_IMAGE = "SELFHEAL_E2E_SERVICE_IMAGE", "SELFHEAL_E2E_HEALERD_IMAGE"
PROXY_SECONDS = 10.0
_SCALE_DOWN = "autoscaling.behavior.scaleDown"
SCALES_DOWN_SOON = (
    f"{_SCALE_DOWN}.stabilizationWindowSeconds=60",
    f"{_SCALE_DOWN}.policies[0].type=Pods,{_SCALE_DOWN}.policies[0].value=3,{_SCALE_DOWN}.policies[0].periodSeconds=15",
)
"""The chart's five minutes, and one pod a minute, are for users; a test would wait that long between two layers."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster on which the suite has two namespaces of its own.

    Attributes:
        name: What ``--cluster`` was.
        stage: Where the story plays.
        asked: Reads what a user has asked the API server for; None where that cannot be known.
    """

    name: str
    stage: Stage
    asked: Callable[[str], Iterable[Asked]] | None = None

    @property
    def namespaces(self) -> tuple[str, str]:
        """Those of the application and of healerd."""
        return self.stage.namespace, self.stage.profile.healerd_namespace

    def elsewhere(self) -> "Cluster":
        """The same cluster with two other namespaces, which do not exist yet."""
        namespace, system = new_namespaces()
        profile = replace(self.stage.profile, healerd_namespace=system)
        return replace(self, stage=replace(self.stage, namespace=namespace, profile=profile))

    def missing_for(self, layer: int | None) -> str:
        """What this cluster lacks to show a layer; "" where it has everything."""
        if layer == 5 and self.stage.run("kubectl", "top", "node", check=False).code:
            return "the cluster has no metrics (kubectl top node fails), which an autoscaler needs"
        if layer == 6 and len(schedulable_nodes(self.stage)) < 2:
            return "the cluster has one node that takes pods, and a drain needs a second"
        return ""


def new_namespaces() -> tuple[str, str]:
    """Names for an application's namespace and for healerd's."""
    number = uuid.uuid4().hex[:6]
    return f"layers-{number}", f"layers-{number}-system"


def schedulable_nodes(stage: Stage) -> list[str]:
    """The nodes that take any pod."""
    nodes = stage.run("kubectl", "get", "nodes", "-o", "json").json()["items"]
    return [node["metadata"]["name"] for node in nodes if not _is_closed(node["spec"])]


def _is_closed(spec: Mapping[str, Any]) -> bool:
    effects = {taint["effect"] for taint in spec.get("taints", [])}
    return bool(spec.get("unschedulable")) or not effects.isdisjoint({"NoSchedule", "NoExecute"})


@contextmanager
def on_sandbox(home: Path, tools: Mapping[str, Path]) -> Iterator[Cluster]:
    """A sandbox of its own, since nodes are drained in it."""
    log = home / "requests.jsonl"
    options = ("--request-log", str(log))
    with start_sandbox(home, tools, name="layers", speed=SPEED, options=options) as running:
        namespace, system = new_namespaces()
        path = f"{tools['helm'].parent}:{running.environment['PATH']}"
        profile = ClusterProfile(healerd_namespace=system, environment={**running.environment, "PATH": path})
        stage = Stage(running.kubeconfig, namespace, programs(), sandbox="layers", profile=profile)
        yield Cluster("sandbox", stage, partial(in_request_log, log))


@contextmanager
def on_lab(home: Path, lab: "Lab") -> Iterator[Cluster]:
    """The lab, with our images loaded: Services are reached by their addresses."""
    from tests.lab.images import build_images  # what builds images is of no use to the other clusters

    for archive in build_images(print, keys=("service", "healerd")).values():
        lab.load_image(archive)
    namespace, system = new_namespaces()
    images = {"service": "registry.lab/selfheal-service:1.0", "healerd": f"registry.lab/healerd:{__version__}"}
    environment = {**lab.environment(), "XDG_STATE_HOME": str(home)}
    profile = ClusterProfile(
        images=images,
        values={"service": SCALES_DOWN_SOON},
        healerd_namespace=system,
        patience=LAB_PATIENCE,
        is_shared=True,
        environment=environment,
    )
    found = programs() | {"helm": str(lab.programs["helm-4"]), "kubectl": str(lab.programs["kubectl"])}
    stage = Stage(lab.kubeconfig, namespace, found, profile=profile)
    with removed(stage), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", environment["NO_PROXY"])  # of the client that sends load
        yield Cluster("lab", stage, partial(in_audit_log, lab.audit_log))


@contextmanager
def on_kubeconfig(home: Path, environ: Mapping[str, str]) -> Iterator[Cluster]:
    """Somebody's own cluster: healerd keeps out of every namespace that was there before, a drain moves our pods only.

    Args:
        home: For files of the suite.
        environ: Names the cluster (KUBECONFIG), and images other than the charts' own.
    """
    found = programs()
    pinned = home / "kubeconfig"
    pin_context(found["kubectl"], environ, pinned)
    namespace, system = new_namespaces()
    before = Stage(pinned, namespace, found, quiet=True)
    others = before.run("kubectl", "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    with gone_at_the_end(pinned), service_proxy(found["kubectl"], pinned) as url:
        profile = ClusterProfile(
            images=given_images(environ),
            healerd_namespace=system,
            values={"service": SCALES_DOWN_SOON, "healerd": [f"namespaces.excluded={{{','.join(others)}}}"]},
            patience=KUBECONFIG_PATIENCE,
            is_shared=True,
            proxy_url=url,
            environment={"XDG_STATE_HOME": str(home)},
        )
        stage = Stage(pinned, namespace, found, profile=profile)
        with removed(stage), pytest.MonkeyPatch.context() as patch:
            for name in (SERVICE_IMAGE, HEALERD_IMAGE, ALLOW):
                patch.delenv(name, raising=False)  # our programs refuse a SELFHEAL_ variable that is no setting
            yield Cluster("kubeconfig", stage)


def given_images(environ: Mapping[str, str]) -> dict[str, str]:
    """The images that the environment names, by chart."""
    variables = {"service": SERVICE_IMAGE, "healerd": HEALERD_IMAGE}
    return {chart: environ[name] for chart, name in variables.items() if environ.get(name)}


def pin_context(kubectl: str, environ: Mapping[str, str], to: Path) -> None:
    """Write the current context alone into a file, so that the suite stays on it; one of production is refused."""
    view = [kubectl, "config", "view", "--minify", "--flatten", "--raw", "-o", "json"]
    done = subprocess.run(view, capture_output=True, text=True, timeout=30, env=dict(environ), check=False)
    if done.returncode:
        pytest.exit(f"--cluster kubeconfig: {done.stderr.strip()}; name a cluster: make e2e KUBECONFIG=FILE", 2)
    config = json.loads(done.stdout)
    names = [config["current-context"], *(one["name"] for one in config["clusters"])]
    names += [one["cluster"]["server"] for one in config["clusters"]]
    if why := refusal(names, environ):
        pytest.exit(f"--cluster kubeconfig: {why}", 2)
    to.touch(0o600)
    to.write_text(done.stdout)


@contextmanager
def gone_at_the_end(credentials: Path) -> Iterator[None]:
    """Remove a file with credentials at the end: pytest keeps the folders of its last runs."""
    try:
        yield
    finally:
        credentials.unlink(missing_ok=True)


@contextmanager
def service_proxy(kubectl: str, kubeconfig: Path) -> Iterator[str]:
    """A ``kubectl proxy`` on a free port of loopback; gives its address."""
    command = [kubectl, "proxy", "--port=0", "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            said = proxy.stdout.readline()
            assert said.startswith("Starting to serve on "), f"kubectl proxy says {said!r}"
            yield f"http://{said.split()[-1]}"
        finally:
            proxy.terminate()
            proxy.wait(PROXY_SECONDS)


@contextmanager
def removed(stage: Stage) -> Iterator[None]:
    """Take away what the suite made, at the end: releases (healerd's has cluster-wide objects) and namespaces."""
    try:
        yield
    finally:
        system = stage.profile.healerd_namespace
        try:
            stage.run("helm", "uninstall", "healerd", "-n", system, "--ignore-not-found", check=False)
        finally:
            stage.run("kubectl", "delete", "namespace", stage.namespace, system, "--ignore-not-found", check=False)
