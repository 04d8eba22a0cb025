"""The two resources of ``metrics.k8s.io``. They are measured when asked for, never stored, so no registry has them."""

from selfheal_sandbox.kinds.registry import Resource

GROUP = "metrics.k8s.io"
POD_METRICS = Resource(GROUP, "v1beta1", "pods", "PodMetrics", singular_name="pod", definition="-")
NODE_METRICS = Resource(
    GROUP, "v1beta1", "nodes", "NodeMetrics", singular_name="node", namespaced=False, definition="-"
)
RESOURCES = (NODE_METRICS, POD_METRICS)


def metrics_resource(version: str, plural: str) -> Resource | None:
    """Return the resource that a path names, or None."""
    return next((each for each in RESOURCES if (each.version, each.plural) == (version, plural)), None)
