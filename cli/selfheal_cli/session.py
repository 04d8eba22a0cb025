"""What the verbs of the command line and of the console run on: a connection, an observer that runs, an executor."""

import asyncio
import os
import pwd
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfheal_core import __version__
from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import Identity, connect
from selfheal_core.domain.snapshot import Snapshot, SourceCondition
from selfheal_core.errors import ClusterUnreachable
from selfheal_core.observe.error_rate_ladder import error_rates
from selfheal_core.observe.observer import Observer
from selfheal_core.observe.sources import ALL_SOURCES
from selfheal_core.ops.executor import Operations, Who
from selfheal_core.ops.journal import Journal, default_path

FIRST_DATA_SECONDS = 15.0
VERIFY_SECONDS = 300.0
STEADY_SECONDS = 10.0
"""A recovery has to last this long before it is called one."""
CLOSE_SECONDS = 3.0
"""Whoever leaves waits no longer than this for streams to end; the process ends them."""
PRACTICE_STEADY_SECONDS = 3.0
"""The same in an embedded cluster, where people learn and nobody waits."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open connection with everything on it.

    Attributes:
        namespaces: Scope of the observer; empty means all.
    """

    identity: Identity
    client: KubernetesClient
    observer: Observer
    operations: Operations
    namespaces: tuple[str, ...]


def asker(source: Literal["console", "cli"], environ: Mapping[str, str] = os.environ) -> Who:
    """Who asks: the login's name and, over SSH, the address it came from."""
    origin = environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return Who(user=login_name(environ, os.getuid()), host=origin or socket.gethostname(), source=source)


def login_name(environ: Mapping[str, str], uid: int) -> str:
    """The user's name, as `getpass.getuser` finds it; ``uid 65532`` where nothing names it, as in an image."""
    named = next((environ[name] for name in ("LOGNAME", "USER", "LNAME", "USERNAME") if environ.get(name)), "")
    if named:
        return named
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def executor(
    client: KubernetesClient,
    observer: Observer,
    *,
    source: Literal["console", "cli"],
    read_only: bool,
    environ: Mapping[str, str],
    verify_seconds: float = VERIFY_SECONDS,
) -> Operations:
    """Put the executor of the verbs together, the same way for every program that people use.

    Args:
        client: The cluster.
        observer: Follows that cluster.
        source: Which program asks.
        read_only: Refuse every write.
        environ: Where helm, the journal and the login are found.
        verify_seconds: How long a verb waits for recovery.
    """
    connection = client.connection
    context = connection.identity.context
    practice = connection.identity.is_sandbox
    return Operations(
        client,
        lambda: Helm.find(environ, kubeconfig=connection.kubeconfig, context=context),
        observer,
        Journal(default_path(environ)),
        who=asker(source, environ),
        read_only=read_only,
        clock=client.clock,
        context=context,
        sandbox=practice,
        verify_seconds=verify_seconds,
        steady_seconds=PRACTICE_STEADY_SECONDS if practice else STEADY_SECONDS,
    )


@asynccontextmanager
async def open_session(
    *,
    kubeconfig: Path | None,
    context: str | None,
    namespaces: tuple[str, ...] | None,
    source: Literal["console", "cli"],
    read_only: bool = False,
    sources: frozenset[str] = ALL_SOURCES,
    verify_seconds: float = VERIFY_SECONDS,
    prometheus: str = "",
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Session]:
    """Connect and observe for the time of the block.

    Args:
        kubeconfig: File that names the cluster; None takes the usual places.
        context: Context in it; None takes the current one.
        namespaces: Scope; empty means all, None means the context's own namespace.
        source: Which program asks.
        read_only: Refuse every write.
        sources: Streams to follow.
        verify_seconds: How long a verb waits for recovery.
        prometheus: Where error rates are asked for; "" to look for a Prometheus in the cluster.
        environ: Where settings of the environment are read from.

    Raises:
        BadUsage: No cluster is configured, or the configuration is wrong.
    """
    connection = await connect(kubeconfig=kubeconfig, context=context, environ=environ)
    try:
        identity = connection.identity
        scope = (identity.namespace,) if namespaces is None else namespaces
        client = KubernetesClient(connection, user_agent=f"selfheal-{source}/{__version__}")
        # What the cluster wrote is compared with now by the clock that wrote it.
        clock = client.clock
        rates = error_rates(client, clock, namespaces=scope, prometheus=prometheus)
        observer = Observer(client, namespaces=scope, sources=sources, clock=clock, error_rates=rates)
        operations = executor(
            client,
            observer,
            source=source,
            read_only=read_only,
            verify_seconds=verify_seconds,
            environ=environ,
        )
        running = asyncio.create_task(observer.run())
        try:
            yield Session(identity, client, observer, operations, scope)
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=CLOSE_SECONDS)
            if running.done() and not running.cancelled():
                running.result()
    finally:
        await connection.close()


async def first_data(session: Session, *, deadline_seconds: float = FIRST_DATA_SECONDS) -> None:
    """Wait until every stream has said something: data, or why there is none.

    Raises:
        ClusterUnreachable: The API server can't be reached, or does not let us in; says why, and what to do.
    """
    observer = session.observer
    with suppress(TimeoutError):
        await observer.wait_for(lambda snapshot: _pods(snapshot) == "lost" or _settled(snapshot), deadline_seconds)
        if _pods(observer.snapshot()) == "lost":
            await _ask(session.client)
            observer.wake()
            await observer.wait_for(lambda snapshot: _pods(snapshot) != "lost" and _settled(snapshot), deadline_seconds)
    pods = observer.snapshot().sources.get("pods")
    if pods is not None and pods.condition in ("lost", "connecting"):
        raise ClusterUnreachable(
            f"no pods from {session.identity.server} within {deadline_seconds:.0f} s: {pods.reason or 'no answer'}",
            "check that it runs, or choose another with --context or --kubeconfig",
        )


def _pods(snapshot: Snapshot) -> SourceCondition | None:
    """How the stream that nothing works without is; None if it is not followed."""
    pods = snapshot.sources.get("pods")
    return None if pods is None else pods.condition


def _settled(snapshot: Snapshot) -> bool:
    sources = snapshot.sources.values()
    return bool(sources) and all(source.condition != "connecting" for source in sources)


async def _ask(client: KubernetesClient) -> None:
    """Ask the API server the simplest question: where a stream failed, its error says what to do about it.

    Raises:
        ClusterUnreachable: It gives no answer, or none to us.
    """
    try:
        await client.server_version()
    except ApiError as error:
        raise ClusterUnreachable(error.what, error.next_step) from None
