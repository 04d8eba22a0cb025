"""Doubles at healerd's edges: a picture that the test sets, an Eviction API that answers as scripted, a notebook."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from healerd.act import Outcome
from healerd.configuration import Configuration
from healerd.controller import Controller
from healerd.metrics import Metrics
from selfheal_core.domain.heal import HealPolicy, Hold
from selfheal_core.domain.known_good import KnownGood, ReleaseKey
from selfheal_core.domain.snapshot import AppKey, Application, OwnerKey, PodRow, Snapshot, Source

NOW = 1_000_000.0
OWNER = OwnerKey("Deployment", "shop", "web", "owner-uid")


def pod(name: str = "web-1", *, restarts: int = 4, namespace: str = "shop", owner: OwnerKey | None = OWNER) -> PodRow:
    """A pod in a crash loop."""
    return PodRow(
        uid=f"uid-{name}",
        namespace=namespace,
        name=name,
        resource_version="1",
        app=AppKey(namespace, "web"),
        track="stable",
        owner=owner,
        template_hash="abc",
        node="node-1",
        pod_ip="10.0.0.1",
        ready_containers=0,
        containers=1,
        state="crash loop",
        severity="bad",
        reason="container app exits 1",
        since=NOW - 60,
        restarts=restarts,
        last_restart_at=NOW - 5,
        last_exit="1 Error",
        created_at=NOW - 600,
        worst_container="app",
        worst_container_restarts=restarts,
    )


def picture(*pods: PodRow, fresh_at: float = NOW) -> Snapshot:
    """A live picture of some pods."""
    sources = {name: Source(name, "live", NOW - 600, fresh_at) for name in ("pods", "replicasets", "deployments")}
    return Snapshot(1, NOW, pods={one.uid: one for one in pods}, sources=sources)


@dataclass
class Picture:
    """An observer whose picture the test sets."""

    current: Snapshot
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def snapshot(self) -> Snapshot:
        return self.current


@dataclass
class Evictions:
    """An Eviction API: answers by pod name, default is success; ``takes`` is called while it is at it."""

    answers: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, str, str, bool]] = field(default_factory=list)
    takes: Callable[[], None] = lambda: None

    async def evict(
        self, namespace: str, pod: str, *, uid: str, dry_run: bool = False, grace_seconds: int | None = None
    ) -> None:
        self.asked.append((namespace, pod, uid, dry_run))
        self.takes()
        if pod in self.answers:
            raise self.answers[pod]


@dataclass
class Notebook:
    """A recorder that remembers; ``takes`` is called while it writes a revision."""

    outcomes: list[Outcome] = field(default_factory=list)
    held: tuple[Hold, ...] = ()
    good: list[tuple[ReleaseKey, KnownGood]] = field(default_factory=list)
    watching_since: list[float | None] = field(default_factory=list)
    takes: Callable[[], None] = lambda: None

    async def outcome(self, outcome: Outcome, now: float) -> None:
        self.outcomes.append(outcome)

    def holds(self, holds: tuple[Hold, ...]) -> None:
        self.held = holds

    async def known_good(
        self, release: ReleaseKey, record: KnownGood, workload: OwnerKey | None, watching_since: float | None
    ) -> None:
        self.good.append((release, record))
        self.watching_since.append(watching_since)
        self.takes()


@dataclass
class Stand:
    """A controller with doubles around it and a clock that the test moves."""

    picture: Picture
    evictions: Evictions
    notebook: Notebook
    metrics: Metrics
    controller: Controller
    now: float = NOW

    def show(self, *pods: PodRow, applications: tuple[Application, ...] = ()) -> None:
        shown = picture(*pods, fresh_at=self.now)
        self.picture.current = replace(shown, applications={one.key: one for one in applications})

    def passes(self, seconds: float) -> None:
        self.now += seconds

    def count(self, name: str, labels: Mapping[str, str]) -> float:
        return self.metrics.registry.get_sample_value(name, dict(labels)) or 0.0


def stand(*, dry_run: bool = False, policy: HealPolicy | None = None) -> Stand:
    """Put a controller between doubles."""
    configuration = Configuration(replace(policy or HealPolicy(), own_namespace="selfheal-system"), dry_run=dry_run)
    shown, evictions, notebook, metrics = Picture(picture()), Evictions(), Notebook(), Metrics()
    made: list[Stand] = []
    controller = Controller(
        shown, evictions, notebook, configuration, metrics, clock=lambda: made[0].now if made else NOW
    )
    made.append(Stand(shown, evictions, notebook, metrics, controller))
    return made[0]


@pytest.fixture
def healer() -> Stand:
    return stand()
