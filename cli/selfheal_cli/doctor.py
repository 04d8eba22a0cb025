"""`selfheal doctor`: what this program finds, what is missing, and what to type about it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from selfheal_cli import cluster_checks, local_checks
from selfheal_cli.document import camel
from selfheal_cli.finding import COLOURS, Finding
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import Connection, connect
from selfheal_core.domain.escape import json_printable, printable
from selfheal_core.errors import ClusterUnreachable, SelfhealError
from selfheal_core.ops.registry import built_verbs


def examine(
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    *,
    prometheus: str = "",
    as_json: bool = False,
) -> None:
    """Look at everything; a line each as soon as it is known, or one JSON document at the end.

    Args:
        kubeconfig: File that names the cluster; None takes the usual places.
        context: Context in it; None takes the current one.
        namespace: Where rights are asked for; None means the context's own.
        prometheus: The setting.
        as_json: Print one document instead of lines.

    Raises:
        BadUsage: No cluster is configured, or the configuration is wrong.
        ClusterUnreachable: No answer from the API server.
        SelfhealError: Something is broken.
    """
    found: list[Finding] = []

    def take(finding: Finding) -> None:
        found.append(finding)
        if not as_json:
            show(finding)

    try:
        asyncio.run(_examine(kubeconfig, context, namespace, prometheus, take))
    finally:
        if as_json:
            click.echo(as_document(found))
    broken = next((finding for finding in found if finding.verdict == "broken"), None)
    if broken is not None:
        error = ClusterUnreachable if broken.about == "cluster" else SelfhealError
        raise error(broken.text, broken.next_step)


def show(finding: Finding) -> None:
    """Print one finding as a line."""
    click.secho(f"{finding.verdict:<8}", fg=COLOURS[finding.verdict], nl=False)
    next_step = f"; {finding.next_step}" if finding.next_step else ""
    click.echo(printable(f"{finding.about}: {finding.text}{next_step}"))


def as_document(findings: Sequence[Finding]) -> str:
    """All findings as JSON; ``ok`` tells whether nothing is broken."""
    listed = [{camel(name): value for name, value in asdict(finding).items()} for finding in findings]
    document = {"ok": all(one.verdict != "broken" for one in findings), "findings": listed}
    return json_printable(json.dumps(document, indent=2))


async def _examine(
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    prometheus: str,
    take: Callable[[Finding], None],
) -> None:
    take(local_checks.terminal())
    take(local_checks.journal())
    try:
        connection = await connect(kubeconfig=kubeconfig, context=context)
    except SelfhealError as error:
        take(Finding("broken", "kubeconfig", error.what, error.next_step))
        raise
    try:
        take(_kubeconfig(connection))
        identity = connection.identity
        client = KubernetesClient(connection, user_agent="selfheal-doctor")
        answer, server_version = await cluster_checks.version(client)
        take(answer)
        if answer.verdict == "ok":
            async for finding in _inside(client, namespace or identity.namespace, prometheus, identity.is_sandbox):
                take(finding)
        take(await local_checks.helm(connection.kubeconfig, identity.context))
        take(await local_checks.kubectl(server_version))
    finally:
        await connection.close()


def _kubeconfig(connection: Connection) -> Finding:
    identity = connection.identity
    files = ", ".join(str(file) for file in connection.kubeconfig) or "the pod's service account"
    return Finding("ok", "kubeconfig", f"{files}: {identity.context} ({identity.server}) as {identity.user}")


async def _inside(client: KubernetesClient, namespace: str, prometheus: str, practice: bool) -> AsyncIterator[Finding]:
    """What a cluster that answers tells.

    Args:
        client: The cluster.
        namespace: Where rights are asked for.
        prometheus: The setting.
        practice: Whether it is a sandbox, where things may be broken on purpose.
    """
    yield await cluster_checks.clock(client)
    yield await cluster_checks.rights(client, namespace, "look", cluster_checks.READING)
    for verb in built_verbs():
        if practice or not verb.practice:
            yield await cluster_checks.rights(client, namespace, verb.name, verb.needs)
    yield await cluster_checks.metrics(client, namespace)
    yield await cluster_checks.prometheus(client, prometheus, namespace)
    yield await cluster_checks.healerd(client)
