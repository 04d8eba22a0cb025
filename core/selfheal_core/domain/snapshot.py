"""The immutable picture that every decision, screen and text form reads.

Built by ``selfheal_core.observe``; consumed by the console, the command line and healerd. Times are seconds since the
epoch (float) unless a name says otherwise; a missing figure is None, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from selfheal_core.domain.objects import Event, Uid

SourceCondition = Literal["connecting", "live", "stale", "lost", "forbidden", "absent"]
"""connecting: no first list yet; live: the watch proves itself; stale: silent for too long; lost: the last attempt
failed; forbidden: our rights do not reach; absent: the cluster does not serve it (no metrics-server, for example)."""

PodState = Literal[
    "running",
    "crash loop",
    "image error",
    "config error",
    "unready",
    "starting",
    "pending",
    "terminating",
    "completed",
    "failed",
    "unknown",
]
AppState = Literal[
    "healthy",
    "rolling out",
    "degraded",
    "crash loop",
    "image error",
    "config error",
    "unready",
    "pending",
    "scaling",
    "canary",
    "down",
    "no data",
]
Severity = Literal["ok", "info", "warn", "bad", "unknown"]


class AppKey(NamedTuple):
    """Identity of an application."""

    namespace: str
    name: str


class OwnerKey(NamedTuple):
    """Identity of the workload that owns a pod: the top controller, e.g. a Deployment."""

    kind: str
    namespace: str
    name: str
    uid: Uid


@dataclass(frozen=True, slots=True)
class Source:
    """State and age of one stream of data.

    Attributes:
        name: What it carries: ``pods``, ``deployments``, ``releases``, ``metrics``, ``errors``, ...
        condition: See ``SourceCondition``.
        since: When that condition began.
        fresh_at: When the data was last known to be current (event, bookmark, finished list); None before the first.
        reason: Why it is not live, in words.
        retry_at: When the next attempt is due; None while live.
        origin: Where the data comes from when that is not the API server's watch: ``Prometheus``, ``own scrape``.
        origin_since: When it began to come from there; None if it never came from elsewhere.
        origin_note: Why it does not come from a better place: ``Prometheus lost``; the reason then says why, though
            the source itself is live.
    """

    name: str
    condition: SourceCondition
    since: float
    fresh_at: float | None = None
    reason: str = ""
    retry_at: float | None = None
    origin: str = ""
    origin_since: float | None = None
    origin_note: str = ""


class PodRow(msgspec.Struct, frozen=True, gc=False):
    """One pod, joined with its owner and application, diagnosed in one word with its reason."""

    uid: Uid
    namespace: str
    name: str
    resource_version: str
    app: AppKey
    track: str
    owner: OwnerKey | None
    template_hash: str
    node: str
    pod_ip: str
    ready_containers: int
    containers: int
    state: PodState
    severity: Severity
    reason: str
    """Why, as one sentence without a full stop: ``container app exits 1 after 2 s``."""
    since: float | None
    """When the state began, as far as the pod itself tells."""
    restarts: int
    last_restart_at: float | None
    last_exit: str
    """Code and reason of the last termination: ``1 Error``, ``137 OOMKilled``; empty if none is known."""
    created_at: float | None
    cpu_millicores: int | None = None
    memory_bytes: int | None = None
    labels: dict[str, str] = {}
    worst_container: str = ""
    """The container that restarted most often, and how often; ``restarts`` is the sum over all containers."""
    worst_container_restarts: int = 0


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler, reduced to what people ask."""

    name: str
    min_replicas: int
    max_replicas: int
    current_replicas: int
    desired_replicas: int
    cpu_percent: int | None
    limited: bool = False


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget, reduced."""

    name: str
    disruptions_allowed: int
    current_healthy: int
    desired_healthy: int


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Requests of an application over a window.

    Attributes:
        ratio: Failed (5xx) requests over all, 0..1; None without any request ("no data", never 0).
        requests_per_second: Rate over the window.
        p95_seconds: 95th percentile of latency; None if unknown.
        window_seconds: Length of the window.
        measured_at: When the newest sample was taken.
        origin: ``Prometheus`` or ``own scrape``, the latter with how many pods were read if not all:
            ``own scrape, 5 of 12 pods``.
        history: Recent ratios, oldest first, for a sparkline; None marks a gap.
    """

    ratio: float | None
    requests_per_second: float | None
    p95_seconds: float | None
    window_seconds: float
    measured_at: float
    origin: str
    history: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a Helm release, from its Secret's metadata.

    Attributes:
        status: Helm's own word: ``deployed``, ``superseded``, ``failed``, ``pending-upgrade``, ...
        deployed_at: When Helm made it: the creation of its Secret.
        known_good: True if watched all Ready for the soak time, False if watched and not so, None if never recorded.
        healthy_seconds: For how long it was seen healthy; None if not recorded.
        image: Image of the first container where known (current revision or recorded), else "".
        secret_uid: Identity of the Secret.
    """

    release: str
    namespace: str
    number: int
    status: str
    deployed_at: float | None
    known_good: bool | None = None
    healthy_seconds: float | None = None
    image: str = ""
    secret_uid: Uid = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """The stable or canary part of an application.

    Attributes:
        name: ``stable`` or ``canary``.
        workload: The owner of its pods; None if unknown.
        release: Helm release name; "" if not installed by Helm.
        revision: Helm revision now running; None if unknown.
        revision_inferred: True where it was concluded from release history instead of read from the chart's annotation.
        desired: Wanted replicas; None for a workload without a count.
    """

    name: str
    workload: OwnerKey | None
    release: str
    revision: int | None
    revision_inferred: bool
    image: str
    desired: int | None
    updated: int
    ready: int
    available: int
    generation_observed: bool
    paused: bool
    progress_deadline_exceeded: bool
    manifest_revision: int | None = None
    """Revision whose manifest runs: after a rollback from 2 to 1, revision 3 runs the manifest of 1."""


@dataclass(frozen=True, slots=True)
class Application:
    """Namespace + label ``app`` (else ``app.kubernetes.io/instance``, else the top owner)."""

    key: AppKey
    state: AppState
    severity: Severity
    detail: str
    """Numbers or reason that belong to the state word: ``2/3`` or ``ImagePullBackOff``."""
    since: float | None
    reason: str
    tracks: tuple[Track, ...]
    pods: tuple[Uid, ...]
    ready: int
    desired: int | None
    restarts: int
    last_restart_at: float | None
    autoscaler: Autoscaler | None = None
    budget: DisruptionBudget | None = None
    cpu_percent: int | None = None
    """CPU use over request, all pods together; None when unknown."""
    errors: ErrorRate | None = None
    revisions: tuple[Revision, ...] = ()
    """Newest first, all tracks' releases."""
    events: tuple[Event, ...] = ()
    """Recent warnings and healerd's own events on its pods and owners, newest first, bounded."""
    change: str = ""
    """What changed last, as a clause: ``revision 6 -> 7, image v2.2.4 -> v2.3.0``; empty if nothing is known."""
    changed_at: float | None = None

    def track(self, name: str) -> Track | None:
        """The track of that name, if there is one."""
        return next((track for track in self.tracks if track.name == name), None)


@dataclass(frozen=True, slots=True)
class ControllerStatus:
    """What is known of healerd.

    Attributes:
        present: None while unknown (not looked yet, or forbidden).
        last_action: Its newest Event's message, and when.
    """

    present: bool | None = None
    version: str = ""
    ready: int = 0
    desired: int = 0
    last_action: str = ""
    last_action_at: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything known at one moment.

    Attributes:
        sequence: Grows by one with each snapshot that differs.
        taken_at: When it was joined.
        namespaces: Scope; empty means all.
    """

    sequence: int
    taken_at: float
    namespaces: tuple[str, ...] = ()
    pods: Mapping[Uid, PodRow] = field(default_factory=dict)
    applications: Mapping[AppKey, Application] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    controller: ControllerStatus = ControllerStatus()
    server_version: str = ""

    def fresh(self, source: str, now: float, within_seconds: float) -> bool:
        """Whether a source is live and its data at most ``within_seconds`` old; a missing source is not fresh.

        Data from the future is not fresh either: our clock was set back, and how old it is can't be known.
        """
        state = self.sources.get(source)
        return (
            state is not None
            and state.condition == "live"
            and state.fresh_at is not None
            and abs(now - state.fresh_at) <= within_seconds
        )
