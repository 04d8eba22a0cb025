"""Which collections are watched, and how each change gets into the join."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from selfheal_core.cluster.helm.history import RELEASE_SELECTOR, revision_from_metadata
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.cluster.kubernetes.reflector import Change, Reflector
from selfheal_core.domain.controller_status import CONTROLLER_NAME
from selfheal_core.domain.known_good import SELECTOR as KNOWN_GOOD_SELECTOR
from selfheal_core.domain.known_good import ReleaseKey, decode_records, release_of_config_map
from selfheal_core.domain.objects import (
    ConfigMap,
    Event,
    HorizontalPodAutoscaler,
    Node,
    ObjectMetadataOnly,
    Pod,
    PodDisruptionBudget,
    Workload,
)
from selfheal_core.domain.snapshot import Source
from selfheal_core.observe import sources
from selfheal_core.observe.join import Join

Apply = Callable[[Join, Change[Any]], None]


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection to watch.

    Attributes:
        type: Struct of its objects.
        apply: Brings one change into the join.
        metadata_only: Ask for metadata only; bodies are never read.
        namespaced: False for one that exists once per cluster.
        in_pages: It may hold thousands of objects, which come cheaper in pages than as a stream.
        waits_for: Name of a source that is listed first, where that is followed too; "" for none.
    """

    name: str
    api_version: str
    plural: str
    type: type[Any]
    apply: Apply
    params: Mapping[str, str] | None = None
    metadata_only: bool = False
    namespaced: bool = True
    in_pages: bool = False
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A reflector of one collection, or of its part in one namespace, and what is listed before it begins."""

    reflector: Reflector[Any]
    waits_for: str


def _pod(join: Join, change: Change[Pod]) -> None:
    if change.kind == "deleted":
        join.remove_pod(change.object)
    else:
        join.put_pod(change.object)


def _workload(kind: str) -> Apply:
    def apply(join: Join, change: Change[Workload]) -> None:
        if change.kind == "deleted":
            join.remove_workload(change.object)
        else:
            join.put_workload(kind, change.object)

    return apply


def _replica_set(join: Join, change: Change[Workload]) -> None:
    if change.kind == "deleted":
        join.remove_replica_set(change.object)
    else:
        join.put_replica_set(change.object, change.previous)


def _job(join: Join, change: Change[ObjectMetadataOnly]) -> None:
    if change.kind == "deleted":
        join.remove_job(change.object)
    else:
        join.put_job(change.object)


def _autoscaler(join: Join, change: Change[HorizontalPodAutoscaler]) -> None:
    if change.kind == "deleted":
        join.remove_autoscaler(change.object)
    else:
        join.put_autoscaler(change.object, change.previous)


def _budget(join: Join, change: Change[PodDisruptionBudget]) -> None:
    if change.kind == "deleted":
        join.remove_budget(change.object)
    else:
        join.put_budget(change.object)


def _event(join: Join, change: Change[Event]) -> None:
    if change.kind == "deleted":
        join.remove_event(change.object)
    else:
        join.put_event(change.object)


def _node(_join: Join, _change: Change[Node]) -> None:
    """Nodes are followed for their source's state and for ``Reflector.store``; no row depends on them."""


def _release(join: Join, change: Change[ObjectMetadataOnly]) -> None:
    revision = revision_from_metadata(change.object.metadata)
    if revision is None:
        return
    if change.kind == "deleted":
        join.remove_revision(revision)
    else:
        join.put_revision(revision)


def _known_good(join: Join, change: Change[ConfigMap]) -> None:
    metadata = change.object.metadata
    release = release_of_config_map(metadata.name)
    if release:
        records = {} if change.kind == "deleted" else decode_records(change.object)
        join.put_records(ReleaseKey(metadata.namespace, release), records)


WARNINGS = {"fieldSelector": "type!=Normal"}
WHAT_HEALERD_DID = {"fieldSelector": f"type=Normal,reportingComponent={CONTROLLER_NAME}"}
"""The two parts of the events that anybody is shown. The rest, four events or so of each pod that starts well, is most
of what a cluster has, and never leaves the server."""


def _events(params: Mapping[str, str]) -> Collection:
    # API servers keep no cache of events: to find the few that are wanted they read all of them, and the first rows,
    # which are pods, would wait for that.
    return Collection(
        sources.EVENTS, "v1", "events", Event, _event, params=params, in_pages=True, waits_for=sources.PODS
    )


COLLECTIONS: tuple[Collection, ...] = (
    Collection(sources.DEPLOYMENTS, "apps/v1", "deployments", Workload, _workload("Deployment")),
    Collection(sources.REPLICA_SETS, "apps/v1", "replicasets", Workload, _replica_set, in_pages=True),
    Collection(sources.PODS, "v1", "pods", Pod, _pod, in_pages=True),
    Collection(sources.STATEFUL_SETS, "apps/v1", "statefulsets", Workload, _workload("StatefulSet")),
    Collection(sources.DAEMON_SETS, "apps/v1", "daemonsets", Workload, _workload("DaemonSet")),
    Collection(sources.JOBS, "batch/v1", "jobs", ObjectMetadataOnly, _job, metadata_only=True, in_pages=True),
    Collection(sources.AUTOSCALERS, "autoscaling/v2", "horizontalpodautoscalers", HorizontalPodAutoscaler, _autoscaler),
    Collection(sources.BUDGETS, "policy/v1", "poddisruptionbudgets", PodDisruptionBudget, _budget),
    _events(WARNINGS),
    _events(WHAT_HEALERD_DID),
    Collection(sources.NODES, "v1", "nodes", Node, _node, namespaced=False),
    Collection(
        sources.RELEASES,
        "v1",
        "secrets",
        ObjectMetadataOnly,
        _release,
        params=RELEASE_SELECTOR,
        metadata_only=True,
    ),
    Collection(
        sources.KNOWN_GOOD, "v1", "configmaps", ConfigMap, _known_good, params={"labelSelector": KNOWN_GOOD_SELECTOR}
    ),
)
"""Every watched collection, some in several parts; small ones that pods are joined with come first."""


def open_streams(
    client: KubernetesClient,
    join: Join,
    *,
    namespaces: tuple[str, ...],
    wanted: frozenset[str],
    clock: Callable[[], float],
    on_change: Callable[[], None],
) -> dict[str, list[Stream]]:
    """Make the streams of each source, one per collection and namespace; the caller runs their reflectors.

    Args:
        client: The cluster.
        join: Where changes go.
        namespaces: Scope; empty means all.
        wanted: Names of sources.
        clock: Seconds since the epoch.
        on_change: Called after each change of data or of a source's state.
    """
    streams: dict[str, list[Stream]] = {}
    for collection in COLLECTIONS:
        if collection.name in wanted:
            streams.setdefault(collection.name, []).extend(
                Stream(_reflector(client, join, collection, namespace, clock, on_change), collection.waits_for)
                for namespace in (namespaces or ("",) if collection.namespaced else ("",))
            )
    return streams


def _reflector(
    client: KubernetesClient,
    join: Join,
    collection: Collection,
    namespace: str,
    clock: Callable[[], float],
    on_change: Callable[[], None],
) -> Reflector[Any]:
    def changed(change: Change[Any]) -> None:
        collection.apply(join, change)
        on_change()

    def source_changed(_source: Source) -> None:
        on_change()

    return Reflector(
        client,
        path(collection.api_version, collection.plural, namespace=namespace),
        collection.type,
        name=collection.name,
        on_change=changed,
        on_source=source_changed,
        params=collection.params,
        metadata_only=collection.metadata_only,
        in_pages=collection.in_pages,
        clock=clock,
    )
