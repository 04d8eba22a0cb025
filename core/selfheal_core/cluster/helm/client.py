"""Helm verbs through the ``helm`` program: for rollback, install, upgrade and uninstall.

History is not read here but from the release Secrets (``history``), without starting a process.
"""

import asyncio
import importlib
import json
import re
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Self

from selfheal_core.cluster.helm.errors import HelmError, HelmTimeout, HelmUnreachable, ReleaseNotFound, ReleasePending
from selfheal_core.cluster.helm.locate import HelmProgram, locate
from selfheal_core.cluster.process import OnLine, ProgramTimeout
from selfheal_core.errors import BadUsage

READ_SECONDS = 30.0
"""Deadline of the verbs that only read."""
MARGIN_SECONDS = 30.0
"""Helm gets this much longer than its own ``--timeout``, to end by itself and mark the release."""
STATUS_SECONDS = 15.0
PENDING_PREFIX = "pending-"
RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
RELEASE_NAME_LIMIT = 53

__all__ = ["Helm", "HelmError", "HelmTimeout", "HelmUnreachable", "OnLine", "ReleaseNotFound", "ReleasePending"]


class Helm:
    """One helm program, aimed at one cluster.

    Cancelling a call stops helm and everything it started before the cancellation goes on; the release may then be
    left ``pending-*``, which ``status`` tells.

    Attributes:
        program: Path of the binary.
        version: E.g. ``4.3.1``.
    """

    def __init__(
        self,
        program: HelmProgram,
        environ: Mapping[str, str],
        *,
        context: str = "",
        margin_seconds: float = MARGIN_SECONDS,
    ) -> None:
        self.program = program.path
        self.version = program.version
        self._program = program
        self._environ = environ
        self._context = context
        self._margin_seconds = margin_seconds

    @classmethod
    async def find(
        cls,
        environ: Mapping[str, str],
        *,
        kubeconfig: tuple[Path, ...] = (),
        context: str = "",
    ) -> Self:
        """Find helm on PATH, then in ``$XDG_CACHE_HOME/selfheal/tools/``, and ask its version.

        Args:
            environ: Environment; also given to helm.
            kubeconfig: Files from ``Connection.kubeconfig``; none means that helm finds the pod's service account.
            context: Context of that kubeconfig; "" for the current one.

        Raises:
            SelfhealError: There is none, or it is too old (3.17 is the least).
        """
        program = await locate(environ)
        if not kubeconfig:
            return cls(program, environ)
        files = ":".join(str(file.absolute()) for file in kubeconfig)
        return cls(program, {**environ, "KUBECONFIG": files}, context=context)

    async def rollback(
        self,
        release: str,
        namespace: str,
        revision: int,
        *,
        wait: bool = True,
        timeout_seconds: float = 300,
        dry_run: bool = False,
        on_line: OnLine | None = None,
    ) -> None:
        """Roll back to an explicit revision.

        Args:
            release: Name of the release.
            namespace: Its namespace.
            revision: Which revision to go back to; at least 1.
            wait: Until the workloads are ready.
            timeout_seconds: For the waiting.
            dry_run: Only try it.
            on_line: Called with each line of helm's warnings.

        Raises:
            HelmTimeout: Not ready in time; the revision is marked failed.
            ReleasePending: Another operation is under way, or this one was cut off.
            HelmError: Anything else.
        """
        if revision < 1:
            raise BadUsage(f"'{revision}' is not a revision", f"see them with: helm history {release} -n {namespace}")
        command = await self._command(release, timeout_seconds, on_line)
        await self._change(
            command.rollback(release, revision, namespace=namespace, wait=wait, dry_run=dry_run),
            release,
            namespace,
            f"helm rollback {release} {revision} -n {namespace} --wait",
        )

    async def install_or_upgrade(
        self,
        release: str,
        namespace: str,
        chart: str | Path,
        values: Mapping[str, Any] | None = None,
        *,
        wait: bool = True,
        timeout_seconds: float = 300,
        create_namespace: bool = False,
        rollback_on_failure: bool = False,
        dry_run: bool = False,
        on_line: OnLine | None = None,
    ) -> int:
        """Install or upgrade a release; values go through standard input, never through the command line.

        Returns:
            The revision that is now deployed.

        Raises:
            HelmError: As for ``rollback``.
        """
        command = await self._command(release, timeout_seconds, on_line)
        answer = await self._change(
            command.install_or_upgrade(
                release,
                str(chart),
                dict(values or {}),
                namespace=namespace,
                wait=wait,
                create_namespace=create_namespace,
                atomic=rollback_on_failure,
                atomic_arg="--rollback-on-failure" if self._program.major >= 4 else "--atomic",
                dry_run=dry_run,
            ),
            release,
            namespace,
            f"helm history {release} -n {namespace}",
        )
        return int(answer["version"])

    async def uninstall(
        self,
        release: str,
        namespace: str,
        *,
        wait: bool = True,
        timeout_seconds: float = 300,
        keep_history: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Remove a release.

        Raises:
            ReleaseNotFound: There is none.
            HelmError: Anything else.
        """
        command = await self._command(release, timeout_seconds)
        await self._change(
            command.uninstall(release, namespace=namespace, wait=wait, keep_history=keep_history, dry_run=dry_run),
            release,
            namespace,
            f"helm uninstall {release} -n {namespace}",
        )

    async def get_values(
        self, release: str, namespace: str, revision: int | None = None, *, computed: bool = False
    ) -> dict[str, Any]:
        """The values that a revision was given, or with ``computed`` all of them."""
        command = await self._command(release, READ_SECONDS)
        values = await _read(command.get_values(release, namespace=namespace, revision=revision, computed=computed))
        return dict(values)

    async def get_manifest(self, release: str, namespace: str, revision: int | None = None) -> str:
        """The manifest of a revision, by default the newest, as YAML text."""
        flags = ["--revision", str(revision)] if revision is not None else []
        command = await self._command(release, READ_SECONDS)
        text = await _read(command.run(["get", "manifest", release, *flags, "--namespace", namespace]))
        return bytes(text).decode(errors="replace")

    async def history(self, release: str, namespace: str) -> list[dict[str, Any]]:
        """Helm's own account of the revisions, oldest first; to check what ``history`` reads from the Secrets."""
        command = await self._command(release, READ_SECONDS)
        return list(await _read(command.history(release, namespace=namespace)))

    async def status(self, release: str, namespace: str) -> str:
        """Helm's word for the newest revision: ``deployed``, ``failed``, ``pending-rollback``, ..."""
        command = await self._command(release, STATUS_SECONDS)
        answer = await _read(command.status(release, namespace=namespace))
        return str(answer.get("info", {}).get("status", ""))

    async def test(
        self, release: str, namespace: str, *, timeout_seconds: float = 300, on_line: OnLine | None = None
    ) -> str:
        """Run the chart's tests.

        Returns:
            Helm's report.

        Raises:
            HelmError: A test failed.
        """
        command = await self._command(release, timeout_seconds, on_line)
        words = ["test", release, "--namespace", namespace, "--timeout", f"{max(1, round(timeout_seconds))}s"]
        return bytes(await _read(command.run(words))).decode(errors="replace")

    async def _command(self, release: str, timeout_seconds: float, on_line: OnLine | None = None) -> Any:
        if len(release) > RELEASE_NAME_LIMIT or not RELEASE_NAME.fullmatch(release):
            raise BadUsage(f"'{release}' is not a release name", "see them with: helm list -A")
        # In a thread, so that the event loop goes on for the 0.2 s of the first import.
        module = await asyncio.to_thread(importlib.import_module, "selfheal_core.cluster.helm.command")
        return module.ContainedCommand(
            self._program,
            self._environ,
            context=self._context,
            timeout_seconds=timeout_seconds,
            deadline_seconds=timeout_seconds + self._margin_seconds,
            on_line=on_line,
        )

    async def _change(self, call: Awaitable[Any], release: str, namespace: str, remedy: str) -> Any:
        """Run a verb that writes; where helm had to be stopped, say in which state it left the release."""
        try:
            return await call
        except ProgramTimeout as error:
            status = await self._status_or_unknown(release, namespace)
            if status.startswith(PENDING_PREFIX):
                what = f"helm was stopped and left {namespace}/{release} in {status}"
                raise ReleasePending(what, f"take it out of that state with: {remedy}", status=status) from error
            what = f"{error.what} and was stopped; {namespace}/{release} is {status}"
            raise HelmTimeout(what, f"see how it stands with: helm history {release} -n {namespace}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise HelmError(f"helm's answer about {namespace}/{release} makes no sense") from error

    async def _status_or_unknown(self, release: str, namespace: str) -> str:
        try:
            return await self.status(release, namespace)
        except HelmError:
            return "in an unknown state"


async def _read(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except ProgramTimeout as error:
        raise HelmTimeout(error.what, "check the cluster with: kubectl cluster-info") from error
    except json.JSONDecodeError as error:
        raise HelmError("helm's answer is not JSON") from error
