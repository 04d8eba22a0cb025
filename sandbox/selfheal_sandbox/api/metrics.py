"""``metrics.k8s.io/v1beta1``: what pods and nodes use, as metrics-server tells it."""

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.ports import ContainerUsage, PodRuntime
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.selection import Selection, selection
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Key, Object, labels_of, name_of, namespace_of, now_rfc3339

WINDOW = "15s"
"""The time over which CPU use is averaged, told to clients; metrics-server's own resolution."""
_MEASURED: dict[str, Key] = {"pods": ("", "pods"), "nodes": ("", "nodes")}


def read_metrics(context: ServerContext, request: Request, target: Target) -> web.Response:
    """GET of one object's metrics or a list of them; what has no metrics yet is left out.

    Raises:
        ApiError: 400 bad selector, 404 no such object or no metrics of it, 405 not a GET.
    """
    if request.method != "GET" or request.query.flag("watch") or target.subresource:
        raise errors.method_not_allowed()
    chosen = selection(target.resource, target.namespace, request.query, target.name)
    listed = metrics_of(context, target.resource, chosen)
    if target.name:
        if not listed:
            raise errors.not_found(target.resource, target.name)
        return json_response(listed[0])
    body = {
        "kind": f"{target.resource.kind}List",
        "apiVersion": target.resource.group_version,
        "metadata": {},
        "items": listed,
    }
    return json_response(body)


def metrics_of(context: ServerContext, resource: Resource, chosen: Selection) -> list[Object]:
    """Return the metrics of the pods or nodes that are chosen."""
    now = now_rfc3339(context.objects.clock())
    measured = context.objects.store.list(_MEASURED[resource.plural], chosen.namespace)
    found = [
        _measured(context.runtime, resource, obj) | {"metadata": _metadata(obj, now), "timestamp": now}
        for obj in measured
        if chosen.matches(obj)
    ]
    return [metrics for metrics in found if metrics.get("containers") or metrics.get("usage")]


def _measured(runtime: PodRuntime, resource: Resource, obj: Object) -> Object:
    metrics: Object = {"kind": resource.kind, "apiVersion": resource.group_version, "window": WINDOW}
    if resource.plural == "pods":
        return {**metrics, "containers": [_container(usage) for usage in runtime.usage(obj)]}
    usage = runtime.node_usage(name_of(obj))
    return {**metrics, "usage": _usage(usage.cpu_millicores, usage.memory_bytes) if usage else None}


def _container(usage: ContainerUsage) -> Object:
    return {"name": usage.name, "usage": _usage(usage.cpu_millicores, usage.memory_bytes)}


def _usage(cpu_millicores: int, memory_bytes: int) -> Object:
    return {"cpu": f"{cpu_millicores}m", "memory": f"{memory_bytes // 1024}Ki"}


def _metadata(obj: Object, now: str) -> Object:
    namespace = {"namespace": namespace_of(obj)} if namespace_of(obj) else {}
    return {"name": name_of(obj), **namespace, "creationTimestamp": now, "labels": dict(labels_of(obj))}
