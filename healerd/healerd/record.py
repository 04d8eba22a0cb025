"""Writes down what was done and why: Events on the pod and on its owner, and known-good revisions.

A record that can't be written never stops the healing; it is logged and counted.
"""

from collections.abc import Mapping

import structlog

from healerd.act import Outcome, Result
from healerd.metrics import Metrics
from selfheal_core.cluster.kubernetes import requests
from selfheal_core.cluster.kubernetes.api_errors import ApiError, Forbidden, NotFound
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.heal import Evict, Hold
from selfheal_core.domain.known_good import (
    KnownGood,
    ReleaseKey,
    config_map_body,
    config_map_name,
    decode_records,
    joined,
)
from selfheal_core.domain.objects import ConfigMap, OwnerReference, Uid
from selfheal_core.domain.snapshot import OwnerKey

COMPONENT = "healerd"
OWNER_API_VERSIONS: Mapping[str, str] = {
    "ReplicaSet": "apps/v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "ReplicationController": "v1",
}
REASONS: Mapping[Result, str] = {
    "evicted": "SelfhealEvicted",
    "blocked": "SelfhealHeld",
    "failed": "SelfhealFailed",
    "dry-run": "SelfhealDryRun",
}
"""Reason of the Event, by result; a pod that is gone needs none."""
SAY_AGAIN_SECONDS = 600.0
"""The same answer about the same pod is said again after this long: a budget may refuse every ten seconds for hours,
and the API server keeps each Event for an hour."""

log = structlog.get_logger()


def sentence(outcome: Outcome) -> str:
    """What happened to a pod, and why, as one sentence."""
    name, why = outcome.action.name, outcome.action.reason
    match outcome.result:
        case "evicted":
            return f"Evicted pod {name}: {why}"
        case "blocked":
            return f"Did not evict pod {name}: {outcome.message}. It waits: {why}"
        case "dry-run":
            return f"Would evict pod {name} (dry run): {why}"
        case "gone":
            return f"Pod {name} was gone already: {why}"
        case "failed":
            return f"Could not evict pod {name}: {outcome.message}. Looks again: {why}"


class Recorder:
    """Writes records through one client.

    Args:
        client: The cluster.
        metrics: Where failures to write are counted.
        instance: Name of this process, for the Events.
    """

    def __init__(self, client: KubernetesClient, metrics: Metrics, *, instance: str) -> None:
        self._client = client
        self._metrics = metrics
        self._instance = instance
        self._said: dict[tuple[Uid, Result], tuple[str, float]] = {}

    async def outcome(self, outcome: Outcome, now: float) -> None:
        """Log and count how an eviction went, and say it on the pod and its owner."""
        action = outcome.action
        self._metrics.evictions.labels(outcome.result).inc()
        log.info(
            "eviction",
            result=outcome.result,
            namespace=action.namespace,
            pod=action.name,
            uid=action.uid,
            reason=action.reason,
            answer=outcome.message,
        )
        reason = REASONS.get(outcome.result)
        if reason is None or not self._is_news(outcome, now):
            return
        if await self._say(action, reason, sentence(outcome), now):
            self._said[(action.uid, outcome.result)] = (outcome.message, now)

    def holds(self, holds: tuple[Hold, ...]) -> None:
        """Show how many pods each gate holds."""
        self._metrics.held_pods.clear()
        for hold in holds:
            self._metrics.held_pods.labels(hold.gate).inc()

    async def known_good(
        self, release: ReleaseKey, record: KnownGood, workload: OwnerKey | None, watching_since: float | None
    ) -> None:
        """Add one revision's record to the release's ConfigMap, which the workload owns; keeps what others wrote."""
        try:
            await self._merge_record(release, record, workload, watching_since)
        except ApiError as error:
            self._metrics.known_good_records.labels("failed").inc()
            log.warning("known good not recorded", release=release.name, namespace=release.namespace, why=str(error))
        else:
            self._metrics.known_good_records.labels("written").inc()
            log.info("known good", release=release.name, namespace=release.namespace, revision=record.revision)

    def _is_news(self, outcome: Outcome, now: float) -> bool:
        """Whether this was not said lately; what was said longer ago is forgotten."""
        self._said = {key: one for key, one in self._said.items() if now - one[1] < SAY_AGAIN_SECONDS}
        said = self._said.get((outcome.action.uid, outcome.result))
        return said is None or said[0] != outcome.message

    async def _merge_record(
        self, release: ReleaseKey, record: KnownGood, workload: OwnerKey | None, watching_since: float | None
    ) -> None:
        name = config_map_name(release.name)
        where = path("v1", "configmaps", namespace=release.namespace, name=name)
        try:
            current = await self._client.get(where, ConfigMap)
        except NotFound:
            everywhere = path("v1", "configmaps", namespace=release.namespace)
            await self._client.create(everywhere, config_map_body(release, [record], owners=_owners(workload)))
            return
        records = decode_records(current)
        records[record.revision] = joined(records.get(record.revision), record, watching_since=watching_since)
        version = current.metadata.resource_version

        async def write(owners: tuple[OwnerReference, ...]) -> None:
            body = config_map_body(release, records.values(), owners=owners, resource_version=version)
            await self._client.replace(where, body)

        # Whoever owns it stays. A record without one, as older versions wrote it, would outlive its release.
        kept = current.metadata.owner_references
        try:
            await write(kept or _owners(workload))
        except Forbidden:
            if kept or not _owners(workload):
                raise
            # Some clusters let only those change an owner who may delete the object; the record matters more.
            await write(kept)

    async def _say(self, action: Evict, reason: str, message: str, now: float) -> bool:
        """Write the Events; whether all of them were."""
        written = True
        for involved in (_pod(action), _owner(action.owner)):
            body = requests.event(
                involved=involved,
                reason=reason,
                message=message,
                component=COMPONENT,
                instance=self._instance,
                now=now,
                kind="Warning",
            )
            try:
                await self._client.create(path("v1", "events", namespace=action.namespace), body)
            except ApiError as error:
                written = False
                self._metrics.event_failures.inc()
                log.warning("event not written", reason=reason, pod=action.name, why=str(error))
        return written


def _pod(action: Evict) -> dict[str, str]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": action.namespace,
        "name": action.name,
        "uid": action.uid,
    }


def _owners(workload: OwnerKey | None) -> tuple[OwnerReference, ...]:
    if workload is None or workload.kind not in OWNER_API_VERSIONS:
        return ()
    return (OwnerReference(workload.kind, workload.name, workload.uid, OWNER_API_VERSIONS[workload.kind]),)


def _owner(owner: OwnerKey) -> dict[str, str]:
    return {
        "apiVersion": OWNER_API_VERSIONS.get(owner.kind, ""),
        "kind": owner.kind,
        "namespace": owner.namespace,
        "name": owner.name,
        "uid": owner.uid,
    }
