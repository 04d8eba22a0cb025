"""`selfheal rollback`, `restart`, `kill`: preview, then with ``--yes`` run and verify, in plain lines."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import click

from selfheal_cli import words
from selfheal_cli.session import first_data, open_session
from selfheal_cli.settings import Settings, config_path
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import AppKey, Snapshot
from selfheal_core.errors import BadUsage, NotVerified, Refused, SelfhealError, did_you_mean
from selfheal_core.observe.sources import PODS
from selfheal_core.ops.operation import Preview, Progress, Target

LABEL_WIDTH = 9


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a verb on the command line.

    Attributes:
        name: Of the application or pod.
        parameters: The verb's own, e.g. ``revision``.
        confirmed: ``--yes`` was given.
        settings: Which cluster and namespace, and whether writing is allowed at all.
        timeout_seconds: How long recovery is waited for.
        reason: Why, for the journal.
    """

    verb: str
    name: str
    parameters: Mapping[str, str]
    confirmed: bool
    reason: str
    settings: Settings
    timeout_seconds: float


def run_verb(request: Request) -> None:
    """Run one verb from beginning to end.

    Raises:
        SelfhealError: Whatever went wrong, with its exit code.
    """
    asyncio.run(_run(request))


async def _run(request: Request) -> None:
    async with open_session(
        kubeconfig=request.settings.kubeconfig,
        context=request.settings.context,
        namespaces=(request.settings.namespace,) if request.settings.namespace else None,
        source="cli",
        read_only=request.settings.read_only,
        verify_seconds=request.timeout_seconds,
        prometheus=request.settings.prometheus,
    ) as session:
        await first_data(session)
        snapshot = session.observer.snapshot()
        check_pods_known(snapshot)
        target = find_target(snapshot, request.verb, session.namespaces[0], request.name)
        preview = await session.operations.preview(request.verb, target, request.parameters)
        show_preview(preview)
        if preview.refusal:
            raise Refused(preview.refusal)
        if not request.confirmed:
            raise Refused("nothing was sent", "add --yes to do it")
        await follow(session.operations.run(preview, reason=request.reason), read_only=request.settings.read_only)


def check_pods_known(snapshot: Snapshot) -> None:
    """Make sure that an application which is not seen is not there.

    Raises:
        Refused: Pods can't be seen.
    """
    pods = snapshot.sources.get(PODS)
    if pods is None or pods.condition != "live":
        why = words.source_state(pods, snapshot.taken_at) if pods else "not followed"
        where = f"-n {snapshot.namespaces[0]}" if snapshot.namespaces else "-A"
        raise Refused(f"nothing can be looked up; pods: {why}", f"check with: kubectl auth can-i list pods {where}")


async def follow(steps: AsyncIterator[Progress], *, read_only: bool = False) -> None:
    """Print the steps of an operation as they come, and judge the last one.

    Args:
        steps: Of `Operations.run`.
        read_only: Whether settings forbid every write; for the advice after a refusal.

    Raises:
        NotVerified: It was done, but recovery was not seen in time.
        Refused: Nothing was sent.
        SelfhealError: It failed or was cancelled.
    """
    last: Progress | None = None
    async for last in steps:
        click.echo(f"{last.phase}: {printable(last.text)}")
    if last is None:
        raise SelfhealError("the operation said nothing")
    match last.phase:
        case "recovered":
            return
        case "not verified":
            raise NotVerified(last.text, last.next_step)
        case "refused":
            raise Refused(last.text, last.next_step or (_who_forbids() if read_only else ""))
        case _:
            raise SelfhealError(last.text, last.next_step)


def _who_forbids() -> str:
    return f"read_only is set: look at SELFHEAL_READ_ONLY and {config_path(os.environ)}"


def show_preview(preview: Preview) -> None:
    """Print what a verb would do, one fact a line."""
    click.echo(printable(preview.title))
    by_hand = (("same as", preview.same_as),) if preview.same_as else ()
    for label, text in (*preview.lines, *by_hand):
        click.echo(f"  {label:<{LABEL_WIDTH}} {printable(text)}")


def find_target(snapshot: Snapshot, verb: str, namespace: str, name: str) -> Target:
    """Find the application or pod that a name means.

    Raises:
        BadUsage: There is none of that name; the text names the nearest.
    """
    if verb == "kill":
        return _find_pod(snapshot, namespace, name)
    if AppKey(namespace, name) in snapshot.applications:
        return Target("application", namespace, name, name)
    known = [key.name for key in snapshot.applications if key.namespace == namespace]
    raise BadUsage(f"no application '{name}' in namespace '{namespace}'", name_hint(name, known))


def _find_pod(snapshot: Snapshot, namespace: str, name: str) -> Target:
    for row in snapshot.pods.values():
        if (row.namespace, row.name) == (namespace, name):
            return Target("pod", namespace, name, row.app.name, row.uid)
    known = [row.name for row in snapshot.pods.values() if row.namespace == namespace]
    raise BadUsage(f"no pod '{name}' in namespace '{namespace}'", name_hint(name, known))


def name_hint(name: str, known: list[str]) -> str:
    """Word the hint for a name that a namespace does not have."""
    if not known:
        return "nothing runs there; choose another namespace with -n"
    return did_you_mean(name, known[:20])
