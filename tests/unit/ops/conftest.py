"""An executor over a cluster in process, with a helm that only pretends."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from selfheal_core.cluster.helm.client import Helm, HelmError
from selfheal_core.domain.snapshot import AppKey, Application
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.executor import Operations, Who
from selfheal_core.ops.journal import Entry, Journal, read_journal
from selfheal_core.ops.operation import Preview, Progress, Target
from selfheal_sandbox.store.objects import Object
from tests.unit.observe.live_cluster import (
    BAD,
    DEPLOYMENTS,
    GOOD,
    NAMESPACE,
    SECRETS,
    LiveCluster,
    deployment,
    live_cluster,
    release_secret,
)

APP = AppKey(NAMESPACE, "app-a")
TARGET = Target("application", NAMESPACE, "app-a", "app-a")
WHO = Who("oncall", "bastion-1", "console")
SECONDS = 10.0


class PretendHelm:
    """Rolls back as helm does: a new revision with the content of an old one."""

    version = "4.3.1"

    def __init__(self, cluster: LiveCluster) -> None:
        self._cluster = cluster
        self.rollbacks: list[int] = []
        self.dry_runs: list[int] = []
        self.error: HelmError | None = None
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.newest = 2
        self.image_of = {1: GOOD, 2: BAD}

    async def rollback(
        self,
        release: str,
        namespace: str,
        revision: int,
        *,
        wait: bool = True,
        timeout_seconds: float = 300,
        dry_run: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        if dry_run:
            self.dry_runs.append(revision)
            return
        self.rollbacks.append(revision)
        self.started.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        self.newest += 1
        self.image_of[self.newest] = self.image_of[revision]
        install(self._cluster, self.newest, self.image_of[revision])


def manifest(image: str, secret: str) -> str:
    body = deployment("app-a", 2, image, {})
    documents = [
        {"apiVersion": "apps/v1", "kind": "Deployment", **body},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"token": secret}},
    ]
    return "\n---\n".join(json.dumps(document) for document in documents)


def install(cluster: LiveCluster, number: int, image: str, *, chart: str = "service") -> None:
    """What helm leaves behind: the Deployment with its revision, and the revision's Secret."""
    annotations = {"meta.helm.sh/release-name": "app-a", "selfheal.internal/revision": str(number)}
    body = deployment("app-a", 2, image, annotations)

    def changed(current: Object) -> Object:
        metadata = {**current["metadata"], "annotations": {**current["metadata"].get("annotations", {}), **annotations}}
        return {**current, "metadata": metadata, "spec": {**current["spec"], "template": body["spec"]["template"]}}

    if number == 1:
        cluster.create(DEPLOYMENTS, body)
    else:
        cluster.change(DEPLOYMENTS, "app-a", changed)
        previous = f"sh.helm.release.v1.app-a.v{number - 1}"
        cluster.change(SECRETS, previous, lambda secret: with_label(secret, "status", "superseded"))
    release = {
        "name": "app-a",
        "namespace": NAMESPACE,
        "version": number,
        "info": {"status": "deployed", "description": "done"},
        "chart": {"metadata": {"name": chart, "version": "1.0.0", "appVersion": "1.0"}},
        "config": {},
        "manifest": manifest(image, f"secret-{number}"),
    }
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    cluster.create(SECRETS, release_secret("app-a", number, "deployed", packed))


def with_label(body: Object, name: str, value: str) -> Object:
    metadata = {**body["metadata"], "labels": {**body["metadata"]["labels"], name: value}}
    return {**body, "metadata": metadata}


class Console:
    """What an operator has: an observer, the verbs, and the journal."""

    def __init__(self, cluster: LiveCluster, observer: Observer, helm: PretendHelm, journal: Path) -> None:
        self.cluster = cluster
        self.observer = observer
        self.helm = helm
        self.journal_path = journal

    def operations(self, **options: Any) -> Operations:
        async def find() -> Helm:
            return cast(Helm, self.helm)

        settings: dict[str, Any] = {
            "who": WHO,
            "read_only": False,
            "context": "practice",
            "verify_seconds": 8.0,
            "steady_seconds": 0.1,
            **options,
        }
        return Operations(self.cluster.client, find, self.observer, Journal(self.journal_path), **settings)

    def journal(self) -> list[Entry]:
        return list(read_journal(self.journal_path))

    def steps(self) -> list[str]:
        return [entry.step for entry in self.journal()]

    async def until(self, check: Callable[[Application], bool]) -> Application:
        found = await self.observer.wait_for(
            lambda snapshot: APP in snapshot.applications and check(snapshot.applications[APP]), SECONDS
        )
        return found.applications[APP]

    async def pod_target(self, index: int = 0) -> Target:
        application = await self.until(lambda app: app.ready == app.desired)
        row = self.observer.snapshot().pods[sorted(application.pods)[index]]
        return Target("pod", row.namespace, row.name, "app-a", row.uid)


async def run(operations: Operations, preview: Preview, reason: str = "") -> list[Progress]:
    """Run to the end."""
    async with asyncio.timeout(SECONDS):
        return [progress async for progress in operations.run(preview, reason=reason)]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path) as running:
        yield running


Sit = Callable[..., Awaitable[Console]]


@pytest.fixture
async def console(cluster: LiveCluster, tmp_path: Path) -> AsyncIterator[Console]:
    observer = Observer(cluster.client)
    running = asyncio.create_task(observer.run())
    yield Console(cluster, observer, PretendHelm(cluster), tmp_path / "state" / "journal.jsonl")
    assert not running.done(), running
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
