"""`selfheal doctor`: what this program finds, what is missing, and what to type about it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.escape import printable
from selfheal_core.errors import ClusterUnreachable, SelfhealError
from selfheal_core.ops.journal import Journal, default_path
from selfheal_core.ops.registry import built_verbs

Verdict = Literal["ok", "missing", "broken"]
COLOURS: dict[Verdict, str] = {"ok": "green", "missing": "yellow", "broken": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        verdict: ``missing`` costs a column or a verb; ``broken`` costs everything.
        next_step: What to type about it.
    """

    verdict: Verdict
    about: str
    text: str
    next_step: str = ""


def examine(kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
    """Look at everything and print a line each.

    Raises:
        ClusterUnreachable: No answer from the API server.
        SelfhealError: Something is broken.
    """
    findings = asyncio.run(_collect(kubeconfig, context, namespace))
    broken = [finding for finding in findings if finding.verdict == "broken"]
    if broken:
        error = ClusterUnreachable if broken[0].about == "cluster" else SelfhealError
        raise error(broken[0].text, broken[0].next_step)


async def _collect(kubeconfig: Path | None, context: str | None, namespace: str | None) -> list[Finding]:
    found = []
    async for finding in _findings(kubeconfig, context, namespace):
        click.secho(f"{finding.verdict:<8}", fg=COLOURS[finding.verdict], nl=False)
        next_step = f"; {finding.next_step}" if finding.next_step else ""
        click.echo(printable(f"{finding.about}: {finding.text}{next_step}"))
        found.append(finding)
    return found


async def _findings(kubeconfig: Path | None, context: str | None, namespace: str | None) -> AsyncIterator[Finding]:
    yield _journal()
    connection = await connect(kubeconfig=kubeconfig, context=context)
    try:
        identity = connection.identity
        yield Finding("ok", "context", f"{identity.context} ({identity.server}) as {identity.user}")
        client = KubernetesClient(connection, user_agent="selfheal-doctor")
        answer = await _cluster(client)
        yield answer
        if answer.verdict == "ok":
            async for finding in _inside(client, namespace or identity.namespace):
                yield finding
        yield await _helm(connection.kubeconfig, identity.context)
    finally:
        await connection.close()


def _journal() -> Finding:
    where = default_path(os.environ)
    try:
        Journal(where).check()
    except SelfhealError as error:
        return Finding("broken", "journal", error.what, error.next_step)
    return Finding("ok", "journal", str(where))


async def _cluster(client: KubernetesClient) -> Finding:
    started = time.monotonic()
    try:
        version = await client.server_version()
    except ApiError as error:
        return Finding("broken", "cluster", error.what, error.next_step)
    return Finding("ok", "cluster", f"{version}, answered in {1000 * (time.monotonic() - started):.0f} ms")


async def _inside(client: KubernetesClient, namespace: str) -> AsyncIterator[Finding]:
    for verb in built_verbs():
        yield await _permission(client, namespace, verb.name)
    yield await _served(client, "metrics", path("metrics.k8s.io/v1beta1", "pods", namespace=namespace), _NO_METRICS)
    yield await _healerd(client)


_NO_METRICS = "CPU columns stay empty; install metrics-server"


async def _permission(client: KubernetesClient, namespace: str, verb: str) -> Finding:
    missing = []
    needs = next(one.needs for one in built_verbs() if one.name == verb)
    try:
        for access in needs:
            if not await client.may(access, namespace):
                missing.append(str(access))
    except ApiError as error:
        return Finding("missing", verb, f"rights unknown: {error.what}")
    if missing:
        next_step = f"ask who administers namespace '{namespace}'"
        return Finding("missing", verb, f"not allowed in '{namespace}': {', '.join(missing)}", next_step)
    return Finding("ok", verb, f"allowed in namespace '{namespace}'")


async def _served(client: KubernetesClient, about: str, where: str, next_step: str) -> Finding:
    try:
        await client.get_json(where, params={"limit": "1"})
    except ApiError as error:
        return Finding("missing", about, error.what, next_step)
    return Finding("ok", about, "served")


async def _healerd(client: KubernetesClient) -> Finding:
    where = path("apps/v1", "deployments")
    next_step = "helm install healerd chart/healerd -n selfheal-system --create-namespace"
    try:
        found = await client.get_json(where, params={"labelSelector": "app.kubernetes.io/name=healerd"})
    except ApiError as error:
        return Finding("missing", "healerd", error.what)
    ready = sum(item.get("status", {}).get("readyReplicas", 0) for item in found.get("items") or ())
    if not ready:
        return Finding("missing", "healerd", "no ready replica; pods that keep restarting are not replaced", next_step)
    return Finding("ok", "healerd", f"{ready} ready")


async def _helm(kubeconfig: tuple[Path, ...], context: str) -> Finding:
    try:
        helm = await Helm.find(os.environ, kubeconfig=kubeconfig, context=context)
    except SelfhealError as error:
        return Finding("missing", "helm", error.what, error.next_step)
    return Finding("ok", "helm", f"{helm.version} ({helm.program})")
