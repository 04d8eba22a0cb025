"""What healerd says in Events: on the pod and on its owner, and not over and over."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from healerd.act import Outcome, Result
from healerd.metrics import Metrics
from healerd.record import SAY_AGAIN_SECONDS, Recorder
from selfheal_core.cluster.kubernetes.api_errors import ServerFault
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.heal import Evict
from selfheal_core.domain.snapshot import OwnerKey
from tests.unit.healerd.conftest import NOW
from tests.unit.observe.live_cluster import NAMESPACE, LiveCluster, live_cluster

OWNER = OwnerKey("Deployment", NAMESPACE, "app-a", "owner-uid")
BUDGET_SAYS_NO = "The disruption budget app-a needs 2 healthy pods and has 1"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path) as running:
        yield running


@pytest.fixture
def recorder(cluster: LiveCluster) -> Recorder:
    return Recorder(cluster.client, Metrics(), instance="healerd-1")


def outcome(result: Result, message: str = "", *, pod: str = "app-a-1") -> Outcome:
    return Outcome(Evict(f"uid-{pod}", NAMESPACE, pod, OWNER, "it restarts", "app", 4), result, message)


def said(cluster: LiveCluster) -> list[tuple[str, str]]:
    """Whom each Event is about, and why, without the controllers' own."""
    events = cluster.objects.store.list(("", "events"), NAMESPACE)
    ours = [event for event in events if event["reportingComponent"] == "healerd"]
    return sorted((event["involvedObject"]["name"], event["reason"]) for event in ours)


async def test_says_what_it_did_on_the_pod_and_on_its_owner(cluster: LiveCluster, recorder: Recorder) -> None:
    await recorder.outcome(outcome("evicted"), NOW)

    assert said(cluster) == [("app-a", "SelfhealEvicted"), ("app-a-1", "SelfhealEvicted")]


@pytest.mark.parametrize(("result", "reason"), [("blocked", "SelfhealHeld"), ("failed", "SelfhealFailed")])
async def test_an_answer_that_stays_the_same_is_said_once_in_ten_minutes(
    cluster: LiveCluster, recorder: Recorder, result: Result, reason: str
) -> None:
    for after in range(0, int(SAY_AGAIN_SECONDS), 10):
        await recorder.outcome(outcome(result, BUDGET_SAYS_NO), NOW + after)
    once = [("app-a", reason), ("app-a-1", reason)]
    assert said(cluster) == once

    await recorder.outcome(outcome(result, BUDGET_SAYS_NO), NOW + SAY_AGAIN_SECONDS)

    assert said(cluster) == sorted(2 * once)


async def test_another_answer_and_another_pod_are_news(cluster: LiveCluster, recorder: Recorder) -> None:
    await recorder.outcome(outcome("blocked", BUDGET_SAYS_NO), NOW)
    await recorder.outcome(outcome("blocked", "two budgets"), NOW + 10)
    await recorder.outcome(outcome("blocked", BUDGET_SAYS_NO, pod="app-a-2"), NOW + 20)
    await recorder.outcome(outcome("evicted"), NOW + 30)

    reasons = [reason for name, reason in said(cluster) if name == "app-a"]
    assert reasons == ["SelfhealEvicted", "SelfhealHeld", "SelfhealHeld", "SelfhealHeld"]


class Overloaded(KubernetesClient):
    """A client of a server that can store nothing for a while."""

    overloaded = True

    async def create(self, path: str, body: Any, **options: Any) -> Any:
        if self.overloaded:
            raise ServerFault("the API server answered 500")
        return await super().create(path, body, **options)


async def test_what_could_not_be_written_is_said_the_next_time(cluster: LiveCluster) -> None:
    """Whatever makes an eviction fail makes its Event fail as well."""
    client = Overloaded(cluster.client.connection, user_agent="tests/1")
    recorder = Recorder(client, Metrics(), instance="healerd-1")
    await recorder.outcome(outcome("failed", "the API server answered 500"), NOW)
    client.overloaded = False

    await recorder.outcome(outcome("failed", "the API server answered 500"), NOW + 60)

    assert said(cluster) == [("app-a", "SelfhealFailed"), ("app-a-1", "SelfhealFailed")]
