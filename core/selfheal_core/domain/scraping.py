"""Which port of a pod serves metrics, by the annotations and port names that are usual. Pure."""

from collections.abc import Mapping, Sequence

from selfheal_core.domain.quantities import whole_number

SCRAPE_ANNOTATION = "prometheus.io/scrape"
PORT_ANNOTATION = "prometheus.io/port"
PATH_ANNOTATION = "prometheus.io/path"
METRICS_PATH = "/metrics"
PORT_NAMES = ("metrics", "http-metrics", "http")
HIGHEST_PORT = 65535


def metrics_port(annotations: Mapping[str, str], ports: Sequence[tuple[str, int]]) -> int | None:
    """The port to read metrics from; None for a pod that has none, or wants none to be read.

    Args:
        annotations: Of the pod.
        ports: Name and number of each declared port, in order.
    """
    wish = annotations.get(SCRAPE_ANNOTATION, "")
    if wish == "false":
        return None
    annotated = whole_number(annotations.get(PORT_ANNOTATION, ""))
    if wish == "true" and annotated is not None and 0 < annotated <= HIGHEST_PORT:
        return annotated
    by_name = dict(ports)
    named = next((by_name[name] for name in PORT_NAMES if name in by_name), None)
    if named is not None or wish != "true":
        return named
    return ports[0][1] if ports else None
