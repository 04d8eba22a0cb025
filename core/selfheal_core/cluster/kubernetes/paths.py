"""Builds and reads the paths of the Kubernetes API. Pure."""

from dataclasses import dataclass
from urllib.parse import quote

from selfheal_core.errors import BadUsage


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """What a path is about; empty strings where it does not say.

    Attributes:
        group: API group; "" for the core group.
        resource: Plural, e.g. ``deployments``.
    """

    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def words(self) -> str:
        """How ``kubectl auth can-i`` writes the resource: ``deployments.apps/scale``."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{resource}/{self.subresource}" if self.subresource else resource


def path(api_version: str, resource: str, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Build the path of a collection, an object, or a part of an object.

    Args:
        api_version: ``v1`` or ``GROUP/VERSION``, e.g. ``apps/v1``.
        resource: Plural, e.g. ``deployments``.
        namespace: Empty for all namespaces, or for a resource without one.
        name: Empty for the collection.
        subresource: E.g. ``scale``; may hold further segments (``proxy/metrics``).

    Raises:
        BadUsage: A segment could not be part of a path.
    """
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    parts = [root]
    if namespace:
        parts += ["namespaces", segment(namespace, "namespace")]
    parts.append(segment(resource, "resource"))
    if name:
        parts.append(segment(name, "name"))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def segment(text: str, what: str) -> str:
    """Escape one path segment.

    Raises:
        BadUsage: The text is empty, or a dot segment, which would climb out of the path.
    """
    if text in {"", ".", ".."}:
        raise BadUsage(f"'{text}' is not a {what}")
    return quote(text, safe="")


def pod_proxy(namespace: str, pod: str, port: int, remainder: str) -> str:
    """Build the path that reaches a pod's port through the API server.

    Args:
        namespace: The pod's namespace.
        pod: The pod's name.
        port: The port inside the pod.
        remainder: Path at the pod, with or without a leading slash; may carry a query.

    Raises:
        BadUsage: The path would climb out of the pod.
    """
    if any(word in {".", ".."} for word in remainder.partition("?")[0].split("/")):
        raise BadUsage(f"'{remainder}' is not a path at a pod")
    inner = quote(remainder.lstrip("/"), safe="/?=&%")
    return path("v1", "pods", namespace=namespace, name=f"{pod}:{port}", subresource=f"proxy/{inner}")


def parse(text: str) -> ResourcePath:
    """Read a path back into its parts; parts that are not there stay empty."""
    words = [word for word in text.partition("?")[0].split("/") if word]
    if not words or words[0] not in {"api", "apis"}:
        return ResourcePath()
    head = 3 if words[0] == "apis" else 2
    group = words[1] if head == 3 and len(words) > 1 else ""
    version = words[head - 1] if len(words) >= head else ""
    rest = words[head:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    resource, name = (*rest, "", "")[:2]
    return ResourcePath(group, version, namespace, resource, name, "/".join(rest[2:]))
