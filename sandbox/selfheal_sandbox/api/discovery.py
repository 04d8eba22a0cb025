"""Discovery: which groups, versions and resources are served; documents are made once for each registry state."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from selfheal_sandbox.api import errors, metrics_resources
from selfheal_sandbox.api.responses import encode
from selfheal_sandbox.kinds import openapi
from selfheal_sandbox.kinds.registry import REVIEWS, SUBRESOURCE_KINDS, Registry, Resource
from selfheal_sandbox.store.objects import Object

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_STREAM_KINDS = {
    "exec": "PodExecOptions",
    "attach": "PodAttachOptions",
    "portforward": "PodPortForwardOptions",
}
_PROXY_KINDS = {"pods": "PodProxyOptions", "services": "ServiceProxyOptions", "nodes": "NodeProxyOptions"}
_SUBRESOURCE_VERBS = {
    "binding": ("create",),
    "eviction": ("create",),
    "token": ("create",),
    "exec": ("create", "get"),
    "attach": ("create", "get"),
    "portforward": ("create", "get"),
    "log": ("get",),
    "proxy": ("create", "delete", "get", "patch", "update"),
    "finalize": ("update",),
}
_READ_ONLY_VERBS = ("get", "list")
_NO_ADDRESSES: Object = {"serverAddressByClientCIDRs": []}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
AGGREGATED_VERSIONS = ("v2", "v2beta1")


class Discovery:
    """The discovery documents of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._versions: dict[tuple[str, str], list[Resource]] = {}
        self._documents: dict[tuple[str, ...], bytes] = {}

    def versions(self) -> dict[tuple[str, str], list[Resource]]:
        """Return the resources of each (group, version) that is served, preferred versions first."""
        if self._generation != self._registry.generation:
            self._generation = self._registry.generation
            self._documents.clear()
            self._versions = _by_version([*self._registry, *REVIEWS, *metrics_resources.RESOURCES])
        return self._versions

    def serves(self, group: str, version: str) -> bool:
        """Return whether there is anything under a group and version."""
        return (group, version) in self.versions()

    def resource_list(self, group: str, version: str) -> bytes:
        """Return the ``APIResourceList`` of a version.

        Raises:
            ApiError: 404, it is not served.
        """
        resources = self.versions().get((group, version))
        if resources is None:
            raise errors.no_such_path()
        return self._cached(("list", group, version), lambda: _resource_list(group, version, resources))

    def group(self, group: str) -> bytes:
        """Return the ``APIGroup`` of a group.

        Raises:
            ApiError: 404, it is not served.
        """
        versions = [version for name, version in self.versions() if name == group]
        if not group or not versions:
            raise errors.no_such_path()
        return self._cached(
            ("group", group), lambda: {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}
        )

    def groups(self, *, core: bool) -> bytes:
        """Return what ``/api`` (core) or ``/apis`` tells in its old form."""
        if core:
            return self._cached(("core",), lambda: {"kind": "APIVersions", "versions": ["v1"], **_NO_ADDRESSES})
        return self._cached(("groups",), self._group_list)

    def aggregated(self, version: str, *, core: bool) -> bytes:
        """Return everything under ``/api`` (core) or ``/apis`` in one document."""
        return self._cached(("all", version, str(core)), lambda: _aggregated(self.versions(), version, core=core))

    def openapi_index(self) -> Object:
        """Return the index of the OpenAPI v3 documents."""
        return openapi.index(self._registry)

    def openapi_document(self, group: str, version: str) -> bytes:
        """Return one OpenAPI v3 document.

        Raises:
            ApiError: 404, the version is not served.
        """
        if not self.serves(group, version):
            raise errors.no_such_path()
        return openapi.document(self._registry, group, version)

    def _group_list(self) -> Object:
        names = dict.fromkeys(group for group, _ in self.versions() if group)
        listed = [_group(name, [version for group, version in self.versions() if group == name]) for name in names]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}

    def _cached(self, name: tuple[str, ...], make: Callable[[], Object]) -> bytes:
        self.versions()  # forgets documents of an older registry
        if name not in self._documents:
            self._documents[name] = encode(make())
        return self._documents[name]


def _by_version(resources: Iterable[Resource]) -> dict[tuple[str, str], list[Resource]]:
    found: dict[tuple[str, str], list[Resource]] = {}
    for resource in resources:
        found.setdefault((resource.group, resource.version), []).append(resource)
    return found


def _group(group: str, versions: Sequence[str]) -> Object:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def verbs_of(resource: Resource) -> tuple[str, ...]:
    """Return the verbs that a resource answers."""
    if resource in REVIEWS:
        return ("create",)
    return _READ_ONLY_VERBS if resource in metrics_resources.RESOURCES else VERBS


def _resource_list(group: str, version: str, resources: list[Resource]) -> Object:
    group_version = f"{group}/{version}" if group else version
    listed = [entry for resource in resources for entry in _entries(resource)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _entries(resource: Resource) -> Iterator[Object]:
    """Yield the ``APIResource`` of a resource and of each of its subresources."""
    yield {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(verbs_of(resource)),
        **_names(resource),
    }
    for name in resource.subresources:
        group, version, kind = _subresource_kind(resource, name)
        other = {"group": group, "version": version} if (group, version) != (resource.group, resource.version) else {}
        yield {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **other,
            "kind": kind,
            "verbs": list(_subresource_verbs(name)),
        }


def _names(resource: Resource) -> Object:
    short = {"shortNames": list(resource.short_names)} if resource.short_names else {}
    categories = {"categories": list(resource.categories)} if resource.categories else {}
    return {**short, **categories}


def _subresource_kind(resource: Resource, name: str) -> tuple[str, str, str]:
    if name in SUBRESOURCE_KINDS:
        return SUBRESOURCE_KINDS[name]
    kind = _PROXY_KINDS.get(resource.plural) if name == "proxy" else _STREAM_KINDS.get(name)
    return resource.group, resource.version, kind or resource.kind


def _subresource_verbs(name: str) -> tuple[str, ...]:
    return _SUBRESOURCE_VERBS.get(name, ("get", "patch", "update"))


def _aggregated(versions: dict[tuple[str, str], list[Resource]], form: str, *, core: bool) -> Object:
    groups: dict[str, list[Object]] = {}
    for (group, version), resources in versions.items():
        if (group == "") == core:
            described = [_described(resource) for resource in resources]
            entry = {"version": version, "resources": described, "freshness": "Current"}
            groups.setdefault(group, []).append(entry)
    items = [
        {"metadata": {**({"name": group} if group else {}), "creationTimestamp": None}, "versions": listed}
        for group, listed in groups.items()
    ]
    version = f"apidiscovery.k8s.io/{form}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": version, "metadata": {}, "items": items}


def _described(resource: Resource) -> Object:
    """Return one resource as the aggregated document has it."""
    subresources = [
        {
            "subresource": name,
            "responseKind": _response_kind(*_subresource_kind(resource, name)),
            "verbs": list(_subresource_verbs(name)),
        }
        for name in resource.subresources
    ]
    return {
        "resource": resource.plural,
        "responseKind": _response_kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(verbs_of(resource)),
        **_names(resource),
        **({"subresources": subresources} if subresources else {}),
    }


def _response_kind(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}
