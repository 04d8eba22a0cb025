"""A cluster on paper: one fixed moment with something of everything, for the picture in the docs and for tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from selfheal_core.domain.objects import Event, Metadata, ObjectReference
from selfheal_core.domain.snapshot import (
    AppKey,
    Application,
    Autoscaler,
    ControllerStatus,
    DisruptionBudget,
    ErrorRate,
    OwnerKey,
    PodRow,
    Revision,
    Snapshot,
    Source,
    Track,
)
from selfheal_core.domain.times import rfc3339
from selfheal_core.ops.operation import Preview, Progress, Target
from selfheal_core.ops.registry import find_verb
from selfheal_tui.feed import ContextChoice, LogBatch, Surroundings
from selfheal_tui.present.logs import LogRequest, read_line

if TYPE_CHECKING:
    from selfheal_core.domain.heal import HealPolicy
    from selfheal_core.ops.executor import Allowed
    from selfheal_core.ops.journal import Entry

NOW = 1_795_711_519.0
"""2026-11-26 16:45:19 UTC."""
NAMESPACE = "payments"
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
SURROUNDINGS = Surroundings("prod-eu", "ops", "https://prod-eu.example:6443", (NAMESPACE,), read_only=False)
LAST_WORDS = 'KeyError: "DB_URL"'


def showcase_snapshot(now: float = NOW) -> Snapshot:
    """Five applications: one crashing after a bad release, one rolling out, one without data, two healthy."""
    pods = {pod.uid: pod for pod in _pods(now)}
    apps = (_crashing(now, pods), *_others(now, pods))
    live = ("pods", "replicasets", "deployments", "autoscalers", "budgets", "events", "releases", "errors", "metrics")
    return Snapshot(
        sequence=1,
        taken_at=now,
        namespaces=(NAMESPACE,),
        pods=pods,
        applications={app.key: app for app in apps},
        sources={name: Source(name, "live", now - HOUR, now - 0.4) for name in live},
        controller=ControllerStatus(True, "0.1.0", 1, 1, "held app-a-7d9f8c6b5d-x2x9k", now - 89),
        server_version="v1.32.3",
    )


def _pods(now: float) -> list[PodRow]:
    crash = "container app exits 1 after 2s"
    return [
        _pod(now, "app-a", "7d9f8c6b5d-x2x9k", "crash loop", "bad", crash, 252, 6, 41, "1 Error"),
        _pod(now, "app-a", "7d9f8c6b5d-q8wzl", "running", "ok", "", 360, 3, 131, "1 Error"),
        _pod(now, "checkout", "6c9b8d7f4c-4k2mp", "running", "ok", "", 3 * DAY),
        _pod(now, "checkout", "6c9b8d7f4c-9xw7r", "running", "ok", "", 3 * DAY),
        _pod(now, "checkout", "6c9b8d7f4c-tt5vd", "running", "ok", "", 3 * DAY),
        _pod(now, "catalog", "5f7c6d8b9f-7bq2x", "running", "ok", "", 40),
        _pod(now, "catalog", "5f7c6d8b9f-m4n8c", "starting", "info", "its startup probe has not answered yet", 11),
        _pod(now, "catalog", "84d5c7b6d9-h6j3k", "running", "ok", "", 2 * DAY),
        _pod(now, "search", "748d9c5b6f-p3z8w", "running", "ok", "", 9 * DAY),
        _pod(now, "search", "748d9c5b6f-vk6q4", "running", "ok", "", 9 * DAY),
    ]


def _pod(
    now: float,
    app: str,
    suffix: str,
    state: str,
    severity: str,
    reason: str,
    age: float,
    restarts: int = 0,
    last_restart: float | None = None,
    last_exit: str = "",
) -> PodRow:
    name = f"{app}-{suffix}"
    return PodRow(
        uid=f"uid-{name}",
        namespace=NAMESPACE,
        name=name,
        resource_version="1",
        app=AppKey(NAMESPACE, app),
        track="stable",
        owner=OwnerKey("Deployment", NAMESPACE, app, f"uid-{app}"),
        template_hash=suffix.partition("-")[0],
        node=f"node-{1 + len(suffix) % 3}",
        pod_ip=f"10.42.0.{10 + len(name)}",
        ready_containers=int(state == "running"),
        containers=1,
        state=state,  # type: ignore[arg-type]
        severity=severity,  # type: ignore[arg-type]
        reason=reason,
        since=now - age,
        restarts=restarts,
        last_restart_at=None if last_restart is None else now - last_restart,
        last_exit=last_exit,
        created_at=now - (age if state != "crash loop" else 360),
        worst_container="app",
        worst_container_restarts=restarts,
        cpu_millicores=31,
        memory_bytes=48 * 2**20,
    )


def _track(app: str, revision: int, tag: str, desired: int, updated: int, ready: int) -> Track:
    owner = OwnerKey("Deployment", NAMESPACE, app, f"uid-{app}")
    image = f"registry.example/{app}:{tag}"
    return Track("stable", owner, app, revision, False, image, desired, updated, ready, ready, True, False, False)


def _revision(now: float, app: str, number: int, status: str, age: float, good: bool | None, tag: str) -> Revision:
    seen = 3 * DAY if good else None
    uid = f"uid-{app}-{number}"
    return Revision(app, NAMESPACE, number, status, now - age, good, seen, f"registry.example/{app}:{tag}", uid, "1")


def _errors(now: float, ratio: float | None, rate: float, p95: float, history: tuple[float | None, ...]) -> ErrorRate:
    return ErrorRate(ratio, rate, p95, 30.0, now - 4, "own scrape", history)


def _crashing(now: float, pods: Mapping[str, PodRow]) -> Application:
    troubled = "uid-app-a-7d9f8c6b5d-x2x9k"
    event = Event(
        metadata=Metadata(name="held", namespace=NAMESPACE, uid="uid-event"),
        involved_object=ObjectReference(kind="Pod", namespace=NAMESPACE, name="app-a-7d9f8c6b5d-x2x9k", uid=troubled),
        reason="SelfhealHeld",
        message="did not evict: the owner had an action 40s ago, next one in 20s at the earliest",
        type="Normal",
        last_timestamp=rfc3339(now - 89),
        reporting_component="healerd",
    )
    return Application(
        key=AppKey(NAMESPACE, "app-a"),
        state="crash loop",
        severity="bad",
        detail="",
        since=now - 252,
        reason="container app exits 1 after 2s in 1 of 2 pods",
        tracks=(_track("app-a", 7, "2.3.0", 2, 2, 1),),
        pods=tuple(uid for uid in pods if uid.startswith("uid-app-a-")),
        ready=1,
        desired=2,
        restarts=9,
        last_restart_at=now - 41,
        autoscaler=Autoscaler("app-a", 2, 5, 2, 2, 31),
        budget=DisruptionBudget("app-a", 0, 1, 1),
        cpu_percent=31,
        errors=_errors(now, 0.38, 41.0, 1.2, (0.0, 0.0, 0.05, 0.31, 0.38)),
        revisions=(
            _revision(now, "app-a", 7, "deployed", 288, None, "2.3.0"),
            _revision(now, "app-a", 6, "superseded", 3 * DAY, True, "2.2.4"),
            _revision(now, "app-a", 5, "superseded", 9 * DAY, True, "2.2.3"),
            _revision(now, "app-a", 4, "failed", 10 * DAY, None, "2.2.2"),
        ),
        events=(event,),
    )


def _healthy(
    now: float, pods: Mapping[str, PodRow], app: str, *, count: int, revision: int, tag: str, days: float, cpu: int
) -> Application:
    return Application(
        key=AppKey(NAMESPACE, app),
        state="healthy",
        severity="ok",
        detail="",
        since=now - days * DAY,
        reason="",
        tracks=(_track(app, revision, tag, count, count, count),),
        pods=tuple(uid for uid in pods if uid.startswith(f"uid-{app}-")),
        ready=count,
        desired=count,
        restarts=0,
        last_restart_at=None,
        autoscaler=Autoscaler(app, 2, 5, count, count, cpu),
        budget=DisruptionBudget(app, 1, count, count - 1),
        cpu_percent=cpu,
        errors=_errors(now, 0.001, 1.7 * cpu, 0.001 * cpu, (0.0, 0.001, 0.0, 0.0, 0.001)),
        revisions=(_revision(now, app, revision, "deployed", days * DAY, True, tag),),
    )


def _others(now: float, pods: Mapping[str, PodRow]) -> tuple[Application, ...]:
    catalog = _healthy(now, pods, "catalog", count=3, revision=31, tag="1.9.0", days=2, cpu=48)
    rolling = replace(
        catalog,
        state="rolling out",
        severity="info",
        detail="2/3",
        since=now - 40,
        reason="2 of 3 pods are updated",
        tracks=(_track("catalog", 31, "1.9.0", 3, 2, 2),),
        ready=2,
        revisions=(
            _revision(now, "catalog", 31, "deployed", 40, None, "1.9.0"),
            _revision(now, "catalog", 30, "superseded", 2 * DAY, True, "1.8.2"),
        ),
    )
    unknown = Application(
        key=AppKey(NAMESPACE, "mailer"),
        state="no data",
        severity="unknown",
        detail="",
        since=now - 95,
        reason="its pods can't be listed: forbidden",
        tracks=(),
        pods=(),
        ready=0,
        desired=None,
        restarts=0,
        last_restart_at=None,
    )
    return (
        _healthy(now, pods, "checkout", count=3, revision=12, tag="4.1.0", days=3, cpu=64),
        rolling,
        unknown,
        _healthy(now, pods, "search", count=2, revision=3, tag="0.8.1", days=9, cpu=22),
    )


@dataclass
class ShowcaseFeed:
    """A feed out of values: shows one snapshot, answers with what it was given, and writes down what it was asked.

    Attributes:
        snapshot: Handed out once; set it again to hand out another.
        refusals: Reasons by verb.
        cautions: What is not known, by verb.
        previews: Answers by verb; a plain one is made for the others.
        steps: What a run goes through.
        asked: Everything that would have reached the cluster as a write or a preview, in order.
    """

    snapshot: Snapshot | None = field(default_factory=showcase_snapshot)
    surroundings: Surroundings = SURROUNDINGS
    refusals: dict[str, str] = field(default_factory=dict)
    cautions: dict[str, str] = field(default_factory=dict)
    previews: dict[str, Preview] = field(default_factory=dict)
    steps: tuple[Progress, ...] = ()
    log_text: str = "2026-11-26T16:44:38Z starting\n2026-11-26T16:44:40Z " + LAST_WORDS
    objects: dict[str, Mapping[str, object]] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    container_names: tuple[str, ...] = ("app", "sidecar")
    choices: tuple[ContextChoice, ...] = (
        ContextChoice("prod-eu", "https://prod-eu.example:6443, namespace payments"),
        ContextChoice("staging", "https://staging.example:6443, namespace default"),
    )
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def take(self) -> Snapshot | None:
        """The snapshot, once."""
        snapshot, self.snapshot = self.snapshot, None
        return snapshot

    def wake(self) -> None:
        """Nothing is ever lost here."""
        self.asked.append(("wake", "", {}))

    async def choose_namespaces(self, namespaces: tuple[str, ...]) -> None:
        """Note the scope."""
        self.asked.append(("namespaces", ",".join(namespaces), {}))

    async def contexts(self) -> tuple[ContextChoice, ...]:
        """As given."""
        return self.choices

    async def switch_context(self, name: str) -> None:
        """Be there."""
        self.asked.append(("context", name, {}))
        self.surroundings = replace(self.surroundings, context=name, namespaces=("default",))

    async def known_namespaces(self) -> tuple[str, ...]:
        """Two names."""
        return (NAMESPACE, "kube-system")

    async def healing_policy(self) -> tuple[HealPolicy, bool]:
        """The default one, as if it had been read."""
        from selfheal_core.domain.heal import HealPolicy

        return HealPolicy(own_namespace="selfheal-system"), True

    async def allowed(self, verb: str, target: Target) -> Allowed:  # noqa: ARG002
        """As given."""
        from selfheal_core.ops.executor import Allowed

        reason = self.refusals.get(verb, "")
        return Allowed(not reason, reason, "" if reason else self.cautions.get(verb, ""))

    async def preview(self, verb: str, target: Target, parameters: Mapping[str, str]) -> Preview:
        """As given, or a plain one."""
        self.asked.append(("preview", f"{verb} {target.name}", dict(parameters)))
        known = self.previews.get(verb)
        if known is not None:
            return known
        word = target.application
        title = f"{find_verb(verb).title.capitalize()} {target.name} in {target.namespace}"
        return Preview(verb, target, find_verb(verb).impact, title, (("Now", "1 of 2 ready"),), f"do {verb}", {}, word)

    async def run(self, preview: Preview, reason: str) -> AsyncGenerator[Progress, None]:
        """The given steps."""
        self.asked.append(("run", f"{preview.verb} {preview.target.name}", {"reason": reason, **preview.parameters}))
        for step in self.steps:
            yield step

    async def cancel(self, operation_id: str) -> bool:
        """Note it."""
        self.asked.append(("cancel", operation_id, {}))
        return True

    async def containers(self, namespace: str, pod: str) -> tuple[str, ...]:  # noqa: ARG002
        """As given."""
        return self.container_names

    async def last_words(self, target: Target) -> str:  # noqa: ARG002
        """The last line of the given log."""
        return self.log_text.splitlines()[-1].partition(" ")[2]

    async def error_trend(self, app: AppKey) -> Sequence[tuple[float, float]]:  # noqa: ARG002
        """There is no Prometheus here."""
        return ()

    async def logs(self, request: LogRequest) -> AsyncGenerator[LogBatch, None]:
        """The given log, for the first pod."""
        pod = request.pods[0]
        yield LogBatch(tuple(read_line(pod, row) for row in self.log_text.splitlines()))

    async def read_object(self, target: Target) -> Mapping[str, object]:
        """As given; a bare pod otherwise."""
        return self.objects.get(
            target.name, {"kind": "Pod", "metadata": {"name": target.name, "namespace": target.namespace}}
        )

    async def journal(self) -> tuple[Entry, ...]:
        """As given."""
        return self.entries
