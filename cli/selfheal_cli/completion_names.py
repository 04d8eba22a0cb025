"""Names for shell completion, asked of the cluster; apart from the rest, because it takes long to import."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from selfheal_cli.settings import Settings, load_settings
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.applications import application_key
from selfheal_core.errors import SelfhealError

NAMES_LIMIT = 500
Kind = Literal["namespaces", "applications", "pods", "applications and pods"]


def ask(kind: Kind, kubeconfig: Path | None, context: str | None, namespace: str | None, seconds: float) -> list[str]:
    """Names of a kind; none if they can't be had in time.

    Args:
        kind: Of what.
        kubeconfig: As the command line has it so far.
        context: The same.
        namespace: The same.
        seconds: How long to wait.
    """
    return list(asyncio.run(_ask(kind, kubeconfig, context, namespace, seconds)))


async def _ask(
    kind: Kind, kubeconfig: Path | None, context: str | None, namespace: str | None, seconds: float
) -> Sequence[str]:
    try:
        settings = load_settings(kubeconfig=kubeconfig, context=context, namespace=namespace)
        async with asyncio.timeout(seconds):
            return await _ask_cluster(settings, ASK[kind])
    except (SelfhealError, TimeoutError, OSError):
        return ()


async def _ask_cluster(
    settings: Settings, question: Callable[[KubernetesClient, str], Awaitable[Sequence[str]]]
) -> Sequence[str]:
    connection = await connect(kubeconfig=settings.kubeconfig, context=settings.context)
    try:
        client = KubernetesClient(connection, user_agent="selfheal-completion")
        return await question(client, settings.namespace or connection.identity.namespace)
    finally:
        await connection.close()


async def _list(client: KubernetesClient, group_version: str, plural: str, namespace: str = "") -> list[Any]:
    where = path(group_version, plural, namespace=namespace)
    found = await client.get_json(where, params={"limit": str(NAMES_LIMIT)})
    return list(found.get("items") or ())


def _name(item: Any) -> str:
    return str(item.get("metadata", {}).get("name", ""))


async def _namespaces(client: KubernetesClient, _namespace: str) -> list[str]:
    return [_name(item) for item in await _list(client, "v1", "namespaces")]


async def _pods(client: KubernetesClient, namespace: str) -> list[str]:
    return [_name(item) for item in await _list(client, "v1", "pods", namespace)]


async def _applications(client: KubernetesClient, namespace: str) -> list[str]:
    """By the labels of workloads, as the console tells applications."""
    kinds = ("deployments", "statefulsets", "daemonsets")
    listed = await asyncio.gather(*(_list(client, "apps/v1", kind, namespace) for kind in kinds))
    names = []
    for item in (item for items in listed for item in items):
        labels = item.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
        names.append(application_key(namespace, labels, None, _name(item)).name)
    return names


async def _both(client: KubernetesClient, namespace: str) -> list[str]:
    listed = await asyncio.gather(_applications(client, namespace), _pods(client, namespace))
    return [name for names in listed for name in names]


ASK: Mapping[Kind, Callable[[KubernetesClient, str], Awaitable[Sequence[str]]]] = {
    "namespaces": _namespaces,
    "applications": _applications,
    "pods": _pods,
    "applications and pods": _both,
}
