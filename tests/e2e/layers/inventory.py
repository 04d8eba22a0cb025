"""Everything that a cluster holds, so that what is left behind shows."""

from collections.abc import Iterable

from selfheal_cli.demo.stage import Stage

COMES_AND_GOES = frozenset({"certificatesigningrequests.certificates.k8s.io", "namespaces", "nodes"})
"""Cluster-wide resources that change without anybody's doing, or by other tests'."""
DERIVED = frozenset({"endpoints", "events", "events.events.k8s.io", "pods.metrics.k8s.io"})
"""Resources that tell of others, and end by themselves."""
OF_EVERY_NAMESPACE = frozenset({"configmap/kube-root-ca.crt", "serviceaccount/default"})


def inventory(stage: Stage, namespaces: Iterable[str]) -> set[str]:
    """``[NAMESPACE/]RESOURCE/NAME`` of all cluster-wide objects, and of all objects in some namespaces."""
    found = set(_names(stage, _resources(stage, namespaced=False) - COMES_AND_GOES))
    local = _resources(stage, namespaced=True) - DERIVED
    for namespace in namespaces:
        names = set(_names(stage, local, "-n", namespace)) - OF_EVERY_NAMESPACE
        found |= {f"{namespace}/{name}" for name in names}
    return found


def _resources(stage: Stage, *, namespaced: bool) -> set[str]:
    ask = ("kubectl", "api-resources", f"--namespaced={str(namespaced).lower()}", "--verbs=list", "-o", "name")
    return set(stage.run(*ask).stdout.split())


def _names(stage: Stage, resources: set[str], *where: str) -> list[str]:
    ask = ("kubectl", "get", ",".join(sorted(resources)), *where, "-o", "name", "--ignore-not-found")
    return stage.run(*ask).stdout.split()
