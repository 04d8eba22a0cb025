"""A small cluster in process for tests: real store, verbs and controllers; a kubelet that only pretends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import ContainerUsage, PodRuntime
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict
from selfheal_sandbox.controllers.keys import DEPLOYMENTS, PODS, REPLICA_SETS
from selfheal_sandbox.controllers.run import Controllers, start
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    annotations_of,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    now_rfc3339,
    spec_of,
    status_of,
    uid_of,
    with_spec,
)
from selfheal_sandbox.store.store import Change, Store

NAMESPACE = "default"
GOOD, BAD = "busybox:good", "busybox:bad"


def utc_now() -> datetime:
    return datetime.now(UTC)


class PretendKubelet:
    """Makes bound pods Running and Ready, and lets deleted ones go, after a moment; bad images never get Ready."""

    def __init__(self, objects: Objects, start_seconds: float, stop_seconds: float) -> None:
        self._objects = objects
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._known: set[str] = set()
        self._leaving: set[str] = set()
        self._addresses = iter(f"127.1.{high}.{low}" for high in range(255) for low in range(1, 255))
        self._held: list[Object] | None = None
        self.cpu_millicores: dict[str, int] = {}
        self.unsubscribe = objects.store.subscribe(self._changed)

    def usage(self, pod: Object) -> list[ContainerUsage]:
        used = self.cpu_millicores.get(name_of(pod))
        return [] if used is None else [ContainerUsage("main", used, 1_000_000)]

    def _changed(self, change: Change) -> None:
        if change.key != PODS or change.type == "DELETED":
            return
        pod, loop = change.new.obj, asyncio.get_running_loop()
        if is_terminating(pod) and uid_of(pod) not in self._leaving:
            self._leaving.add(uid_of(pod))
            loop.call_later(self._stop_seconds, self._finish, pod)
        elif spec_of(pod).get("nodeName") and uid_of(pod) not in self._known:
            self._known.add(uid_of(pod))
            loop.call_later(self._start_seconds, self._run, pod)

    def hold(self) -> None:
        """Let no further pod become Ready until `release`."""
        self._held = []

    def release(self) -> None:
        """Make the pods Ready that were held."""
        held, self._held = self._held or [], None
        for pod in held:
            self._run(pod)

    def _run(self, pod: Object) -> None:
        if self._held is not None:
            self._held.append(pod)
            return
        self.report(pod, ready="bad" not in spec_of(pod)["containers"][0]["image"], ip=next(self._addresses))

    def _finish(self, pod: Object) -> None:
        if self._objects.store.get(PODS, namespace_of(pod), name_of(pod)) is not None:
            options = DeleteOptions(grace_period_seconds=0, uid=uid_of(pod))
            self._objects.delete(PODS, namespace_of(pod), name_of(pod), options=options)

    def report(self, pod: Object, *, ready: bool, ip: str | None = None, **status: Any) -> None:
        """Write a pod's status as a kubelet would."""
        current = self._objects.store.get(PODS, namespace_of(pod), name_of(pod))
        if current is None:
            return
        now = utc_now()
        verdict = Verdict("Ready", "True" if ready else "False", "", "")
        conditions = with_verdict(status_of(current).get("conditions") or [], verdict, now)
        fields = {"phase": "Running", "conditions": conditions, "startTime": now_rfc3339(now), **status}
        if ip:
            fields["podIP"] = ip
        self._objects.set_status(PODS, current, {**status_of(current), **fields})


@dataclass
class Cluster:
    """The cluster and shorthands for tests."""

    objects: "RefusingObjects"
    controllers: Controllers
    kubelet: PretendKubelet
    least_ready: int = field(default=10**6)

    async def eventually(self, check: Callable[[], Any], *, seconds: float = 5.0) -> Any:
        """Poll until the check returns something true, and return it."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (result := check()):
            assert asyncio.get_running_loop().time() < deadline, f"still not so after {seconds} s"
            await asyncio.sleep(0.005)
        return result

    async def settle(self) -> None:
        """Wait until no controller has anything to do for a moment."""
        quiet = 0
        deadline = asyncio.get_running_loop().time() + 5
        while quiet < 20:
            assert asyncio.get_running_loop().time() < deadline, "the controllers do not come to rest"
            await asyncio.sleep(0.002)
            quiet = quiet + 1 if self.controllers.is_idle else 0

    def runs(self) -> dict[str, int]:
        return {name: counters.runs for name, counters in self.controllers.counters.items()}

    def get(self, key: Key, name: str) -> Object | None:
        return self.objects.store.get(key, NAMESPACE, name)

    def pods(self, **labels: str) -> list[Object]:
        found = self.objects.store.list(PODS, NAMESPACE)
        return [pod for pod in found if labels.items() <= labels_of(pod).items()]

    def ready(self, **labels: str) -> list[Object]:
        return [pod for pod in self.pods(**labels) if is_ready(pod) and not is_terminating(pod)]

    def replica_sets(self) -> list[Object]:
        return self.objects.store.list(REPLICA_SETS, NAMESPACE)

    def events(self, reason: str) -> list[str]:
        return [event["message"] for event in self.objects.store.list(("", "events")) if event["reason"] == reason]

    def deploy(self, name: str = "web", **spec: Any) -> Object:
        return self.objects.create(DEPLOYMENTS, NAMESPACE, deployment(name, **spec), manager="kubectl")

    def change_deployment(self, name: str = "web", **spec: Any) -> Object:
        return self.objects.update(DEPLOYMENTS, NAMESPACE, name, lambda current: with_spec(current, **spec))

    def is_complete(self, name: str = "web") -> bool:
        """Whether `kubectl rollout status` would say that the rollout is done."""
        found = self.objects.get(DEPLOYMENTS, NAMESPACE, name)
        status, wanted = status_of(found), spec_of(found)["replicas"]
        return bool(
            status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == wanted
            and status.get("replicas", 0) == wanted
            and status.get("availableReplicas", 0) == wanted
        )

    def condition(self, key: Key, name: str, condition_type: str) -> Object:
        found = self.objects.get(key, NAMESPACE, name)
        entries = [each for each in status_of(found).get("conditions") or [] if each["type"] == condition_type]
        return entries[0] if entries else {}

    def record_least_ready(self, **labels: str) -> None:
        """From now on note the lowest number of Ready pods seen at any write."""

        def look(change: Change) -> None:
            if change.key == PODS:
                self.least_ready = min(self.least_ready, len(self.ready(**labels)))

        self.objects.store.subscribe(look)

    def undo(self, revision: int, name: str = "web") -> None:
        """Do what `kubectl rollout undo --to-revision` sends: the template of that ReplicaSet, without its hash."""
        annotation = "deployment.kubernetes.io/revision"
        found = next(each for each in self.replica_sets() if annotations_of(each)[annotation] == str(revision))
        template = spec_of(found)["template"]
        labels = {key: value for key, value in labels_of(template).items() if key != "pod-template-hash"}
        metadata = {**template["metadata"], "labels": labels, "creationTimestamp": None}
        self.change_deployment(name, template={**template, "metadata": metadata})


def template(image: str = GOOD, app: str = "web", cpu: str = "100m", **spec: Any) -> Object:
    container: Object = {"name": "main", "image": image, "resources": {"requests": {"cpu": cpu}}}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **spec}}


def deployment(name: str = "web", **spec: Any) -> Object:
    body = {"replicas": 3, "selector": {"matchLabels": {"app": name}}, "template": template(app=name), **spec}
    return {"metadata": {"name": name}, "spec": body}


def service(name: str = "web", **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": 80}], **spec}}


class RefusingObjects(Objects):
    """Objects that refuse to create pods while `refuses` is set, as a quota would."""

    refuses = False
    attempts = 0

    def create(self, key: Key, namespace: str, obj: Object, **options: Any) -> Object:
        if key == PODS:
            self.attempts += 1
            if self.refuses:
                raise ApiError(403, "Forbidden", 'pods "web-" is forbidden: exceeded quota')
        return super().create(key, namespace, obj, **options)


def start_cluster(
    *, speed: float = 1.0, start_seconds: float = 0.0, stop_seconds: float = 0.0, nodes: int = 3
) -> Cluster:
    objects = RefusingObjects(Store(), Registry(), utc_now)
    kubelet = PretendKubelet(objects, start_seconds, stop_seconds)
    runtime = cast(PodRuntime, kubelet)
    controllers = start(objects, runtime, None, speed=speed, nodes=nodes, root_certificate="PEM")
    return Cluster(objects, controllers, kubelet)
