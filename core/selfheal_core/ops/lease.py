"""One operation at a time per release: the Lease ``selfheal-op-<release>``, which every executor takes first."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from selfheal_core.cluster.kubernetes.api_errors import ApiError, Conflict, NotFound, ServerFault
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.cluster.kubernetes.requests import lease as lease_body
from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import Int32, Metadata, Wire
from selfheal_core.domain.times import ago, parse_time
from selfheal_core.errors import Refused
from selfheal_core.waiting import set_within

DURATION_SECONDS = 30
RENEW_SECONDS = 10.0
SKEW_SECONDS = 5.0
"""A lease counts as expired only this long after its end, as clocks differ a little."""
CALL_SECONDS = 5.0
_API = "coordination.k8s.io/v1"
_NAME_LIMIT = 253


class _LeaseSpec(Wire, frozen=True):
    holder_identity: str | None = None
    lease_duration_seconds: Int32 | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: Int32 | None = None


class _Lease(Wire, frozen=True):
    metadata: Metadata = Metadata()
    spec: _LeaseSpec | None = None


class Held:
    """A lease that is ours.

    Attributes:
        lost: Why it is not ours any more; "" while it is.
    """

    def __init__(self, resource_version: str, acquired_at: float, transitions: int) -> None:
        self.resource_version = resource_version
        self.acquired_at = acquired_at
        self.transitions = transitions
        self.lost = ""


class ReleaseLease:
    """The lease of one release, or of one workload that no release installed.

    Args:
        client: The cluster.
        namespace: Of the release.
        subject: Name of the release.
        holder: Who we are, in words; another executor's refusal names it.
        clock: Seconds since the epoch, by which the Lease is stamped.
        renew_seconds: How often it is renewed while held.
        monotonic: Seconds, never going back: whether ours has run out must not depend on a clock that is corrected.
    """

    def __init__(
        self,
        client: KubernetesClient,
        *,
        namespace: str,
        subject: str,
        holder: str,
        clock: Callable[[], float],
        renew_seconds: float = RENEW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = lease_name(subject)
        self._subject = subject
        self._holder = holder
        self._clock = clock
        self._renew_seconds = renew_seconds
        self._monotonic = monotonic

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Held]:
        """Take the lease, renew it while the block runs, give it back.

        Raises:
            Refused: Another holder has it; names it and since when.
            ApiError: The API server does not allow it or does not answer.
        """
        held = await self.acquire()
        over = asyncio.Event()
        renewing = asyncio.create_task(self._renew_until(over, held))
        try:
            yield held
        finally:
            # Not cancelled: of a renewal that is under way nobody would know which version of the Lease it left.
            over.set()
            await asyncio.gather(renewing, return_exceptions=True)
            await self.release(held)

    async def acquire(self) -> Held:
        """Take the lease now, or refuse.

        Raises:
            Refused: Another holder has it.
            ApiError: The API server does not allow it or does not answer.
        """
        now = self._clock()
        try:
            found = await self._client.get(self._path(), _Lease, deadline_seconds=CALL_SECONDS)
        except NotFound:
            found = None
        if found is None:
            return await self._create(now)
        spec = found.spec or _LeaseSpec()
        self._refuse_if_held(spec, now)
        return await self._replace(
            Held(found.metadata.resource_version, now, (spec.lease_transitions or 0) + 1), self._holder
        )

    async def release(self, held: Held) -> None:
        """Give the lease back; if that fails, or another has it by now, that changes nothing of what was done."""
        if held.lost:
            return
        try:
            await self._replace(held, "")
        except (ApiError, Refused) as error:
            held.lost = error.what

    async def _create(self, now: float) -> Held:
        body = self._body(Held("", now, 0), self._holder)
        try:
            made = await self._client.create(path(_API, "leases", namespace=self._namespace), body)
        except Conflict as error:
            raise Refused(f"another operation on {self._subject} has just begun", "look again, then decide") from error
        return Held(_version(made), now, 0)

    async def _replace(self, held: Held, holder: str) -> Held:
        try:
            made = await self._client.replace(self._path(), self._body(held, holder), deadline_seconds=CALL_SECONDS)
        except Conflict as error:
            raise Refused(f"another operation on {self._subject} has just begun", "look again, then decide") from error
        held.resource_version = _version(made)
        return held

    async def _renew_until(self, over: asyncio.Event, held: Held) -> None:
        renewed_at = self._monotonic()
        while not held.lost:
            if await set_within(over, self._renew_seconds):
                return
            try:
                await self._replace(held, self._holder)
                renewed_at = self._monotonic()
            except Refused as error:
                held.lost = error.what
            except ApiError as error:
                if self._monotonic() - renewed_at + self._renew_seconds > DURATION_SECONDS:
                    held.lost = f"the lease of {self._subject} could not be renewed: {error.what}"

    def _refuse_if_held(self, spec: "_LeaseSpec", now: float) -> None:
        holder = spec.holder_identity or ""
        renewed = parse_time(spec.renew_time)
        duration = float(spec.lease_duration_seconds or DURATION_SECONDS)
        if not holder or renewed is None or now > renewed + duration + SKEW_SECONDS:
            return
        acquired = parse_time(spec.acquire_time)
        since = f", since {ago(now - acquired)} ago" if acquired is not None else ""
        raise Refused(
            f"another operation on {self._subject} is under way: {printable(holder, limit=120)}{since}",
            "wait until it has ended; its lease runs out by itself if its process died",
        )

    def _path(self) -> str:
        return path(_API, "leases", namespace=self._namespace, name=self._name)

    def _body(self, held: Held, holder: str) -> dict[str, Any]:
        return lease_body(
            self._namespace,
            self._name,
            holder=holder,
            duration_seconds=DURATION_SECONDS,
            acquired_at=held.acquired_at,
            renewed_at=self._clock(),
            transitions=held.transitions,
            resource_version=held.resource_version,
            labels={"app.kubernetes.io/managed-by": "selfheal"},
        )


def _version(made: Any) -> str:
    """Version of the Lease that the server says it stored.

    Raises:
        ServerFault: It does not say.
    """
    try:
        return str(made["metadata"]["resourceVersion"])
    except (KeyError, TypeError) as error:
        raise ServerFault("the answer to writing a Lease is no Lease") from error


def lease_name(subject: str) -> str:
    """Name of a subject's Lease; a subject that is no object name (an ``app`` label) gets a hash in its place."""
    name = f"selfheal-op-{subject}"
    if re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", subject) and len(name) <= _NAME_LIMIT:
        return name
    return f"selfheal-op-{hashlib.sha256(subject.encode()).hexdigest()[:20]}"
