"""From a path to what it names: ``/apis/apps/v1/namespaces/shop/deployments/web/scale``."""

from dataclasses import dataclass

from selfheal_sandbox.api import errors
from selfheal_sandbox.kinds.registry import Registry, Resource

NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about.

    Attributes:
        resource: the kind, in the version of the path.
        namespace: the namespace, "" for cluster-scoped kinds, None for all namespaces.
        name: the object, "" for the collection.
        subresource: such as ``status``; "" for the object itself.
        rest: what follows the subresource, as ``proxy`` needs it.
        watch: whether the old path form ``/watch/`` was used.
    """

    resource: Resource
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()
    watch: bool = False

    @property
    def place(self) -> str:
        """The namespace for calls that need one: "" when the kind has none."""
        return self.namespace or ""


def resource_target(registry: Registry, group: str, version: str, parts: list[str]) -> Target:
    """Return what the part of a path after the version names.

    Raises:
        ApiError: 404, nothing is served there.
    """
    watch = parts[0] == "watch" and len(parts) > 1
    rest = parts[1:] if watch else parts
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if resource is None:
        raise errors.no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if namespace is not None and not resource.namespaced:
        raise errors.no_such_path()
    if namespace is None and resource.namespaced and name:
        raise errors.no_such_path()
    return Target(resource, namespace if resource.namespaced else "", name, subresource, tuple(rest[3:]), watch)


def verb_of(method: str, *, has_name: bool, watch: bool) -> str:
    """Return the verb of a request as audit logs and RBAC name it."""
    match method:
        case "GET" | "HEAD":
            return "watch" if watch else "get" if has_name else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "DELETE":
            return "delete" if has_name else "deletecollection"
    return method.lower()
