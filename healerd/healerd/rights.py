"""The rights that healerd needs: which of them are missing, said before they are needed and until they are there."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from healerd.metrics import Metrics
from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.requests import Access as Asked
from selfheal_core.ops.operation import Access

CHECK_SECONDS = 60.0
"""How often the cluster is asked; what a right allows is tried all the same, whatever the answer."""
GRANT = "a cluster administrator grants it: the chart's ClusterRole holds it, and helm upgrade healerd brings it back"
_BLIND = "it does not see which pods keep restarting and heals nothing"
_OWNERLESS = "it does not know whose pods they are and heals nothing"
_UNRECORDED = "healthy revisions are not recorded as known good"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Right:
    """A right in all namespaces, and what is not done without it."""

    access: Access
    without: str


RIGHTS = (
    Right(Access("list", "", "pods"), _BLIND),
    Right(Access("watch", "", "pods"), _BLIND),
    Right(Access("create", "", "pods", "eviction"), "pods that keep restarting are not replaced"),
    *(
        Right(Access(verb, "apps", resource), _OWNERLESS)
        for resource in ("deployments", "replicasets", "statefulsets")
        for verb in ("list", "watch")
    ),
    Right(Access("create", "", "events"), "what it does is in its log only"),
    *(Right(Access(verb, "", "configmaps"), _UNRECORDED) for verb in ("get", "create", "update")),
)
"""Exactly what the chart's ClusterRole gives."""


class Reviews(Protocol):
    """Answers questions about our own rights."""

    async def may(self, access: Asked, namespace: str, name: str = "") -> bool:
        """Ask whether we are allowed something; an empty namespace means in all of them."""


def sentence(right: Right) -> str:
    """Say which right is missing, what is not done without it, and who can grant it."""
    return f"healerd is not allowed to {right.access} in all namespaces, so {right.without}; {GRANT}"


class RightsCheck:
    """Asks the cluster again and again which rights are missing.

    Attributes:
        missing: Those that were missing when it asked last.
    """

    def __init__(self, client: Reviews, metrics: Metrics) -> None:
        self.missing: tuple[Right, ...] = ()
        self._client = client
        self._metrics = metrics
        self._unknown = ""

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # the top of the loop: healing does not depend on the answer
                self._metrics.errors.inc()
                log.exception("rights check failed")
            await asyncio.sleep(CHECK_SECONDS)

    async def look(self) -> None:
        """Ask once, and log what changed; a cluster that does not answer the question changes nothing."""
        try:
            missing = tuple([right for right in RIGHTS if not await self._client.may(right.access, "")])
        except ApiError as error:
            if self._unknown != error.what:
                log.warning("rights unknown", why=error.what)
            self._unknown = error.what
            return
        for right in missing:
            if right not in self.missing:
                log.warning("right missing", right=str(right.access), why=sentence(right))
        for right in self.missing:
            if right not in missing:
                log.info("right granted", right=str(right.access))
        self.missing, self._unknown = missing, ""
        self._metrics.missing_rights.set(len(missing))

    def sentences(self) -> list[str]:
        """Return a sentence for each missing right."""
        return [sentence(right) for right in self.missing]
