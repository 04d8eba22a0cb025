"""The downward API: values of a pod's own fields and of its containers' resources, as text."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from selfheal_sandbox.kinds.quantity import parse_quantity
from selfheal_sandbox.kubelet.pod_status import HOST_IP
from selfheal_sandbox.store.objects import Object, annotations_of, labels_of, name_of, namespace_of, spec_of, status_of

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class FieldError(Exception):
    """A field that the downward API does not have."""


def pod_field(pod: Object, path: str) -> str:
    """Return the value of a ``fieldRef``.

    Raises:
        FieldError: the path names no field that a pod may refer to.
    """
    if match := _SUBSCRIPT.match(path):
        values = labels_of(pod) if match[1] == "labels" else annotations_of(pod)
        return values.get(match[2], "")
    plain = _plain_fields(pod)
    if path not in plain:
        raise FieldError(f"failed to get field {path!r}: unsupported fieldPath: {path}")
    return plain[path]


def _plain_fields(pod: Object) -> dict[str, str]:
    spec, status = spec_of(pod), status_of(pod)
    return {
        "metadata.name": name_of(pod),
        "metadata.namespace": namespace_of(pod),
        "metadata.uid": str(pod["metadata"].get("uid") or ""),
        "metadata.labels": _as_lines(labels_of(pod)),
        "metadata.annotations": _as_lines(annotations_of(pod)),
        "spec.nodeName": spec.get("nodeName") or "",
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "spec.restartPolicy": spec.get("restartPolicy") or "Always",
        "status.hostIP": HOST_IP,
        "status.hostIPs": HOST_IP,
        "status.podIP": status.get("podIP") or "",
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs") or []),
    }


def _as_lines(values: Mapping[str, str]) -> str:
    """Return labels or annotations as a downward API volume writes them: one ``key="escaped value"`` a line."""
    escape = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
    return "\n".join(f'{key}="{value.translate(escape)}"' for key, value in sorted(values.items()))


def resource_field(pod: Object, container: str, reference: Object, allocatable: Mapping[str, str]) -> str:
    """Return the value of a ``resourceFieldRef``, rounded up to whole units of its divisor.

    A limit that is not set is what the node offers; a request that is not set is the limit, else 0.

    Raises:
        FieldError: no such container or resource.
    """
    wanted = reference.get("containerName") or container
    spec = spec_of(pod)
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    found = next((one for one in containers if one["name"] == wanted), None)
    if found is None:
        raise FieldError(f"container {wanted} not found")
    side, _, resource = str(reference["resource"]).partition(".")
    if side not in ("limits", "requests") or not resource:
        raise FieldError(f"unsupported container resource : {reference['resource']}")
    amount = _amount(found.get("resources") or {}, side, resource, allocatable)
    divisor = parse_quantity(str(reference.get("divisor") or "1")) or Decimal(1)
    return str(math.ceil(parse_quantity(amount) / divisor))


def _amount(resources: Object, side: str, resource: str, allocatable: Mapping[str, str]) -> str:
    limit = (resources.get("limits") or {}).get(resource)
    if side == "limits":
        return str(limit if limit is not None else allocatable.get(resource, "0"))
    request = (resources.get("requests") or {}).get(resource)
    return str(request if request is not None else limit if limit is not None else "0")
