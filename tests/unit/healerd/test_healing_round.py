"""One round of the loop: what is decided is sent, and every answer of the Eviction API has its meaning."""

import asyncio

import pytest

from healerd.controller import ACT_WITHIN_SECONDS
from selfheal_core.cluster.kubernetes.api_errors import (
    BudgetRefusal,
    Conflict,
    Forbidden,
    NotFound,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from selfheal_core.domain.applications import Parts, build_application
from selfheal_core.domain.heal import HealPolicy
from selfheal_core.domain.snapshot import AppKey, Application, OwnerKey
from tests.unit.domain.builders import deployment
from tests.unit.healerd.conftest import NOW, Stand, picture, pod, stand

BUDGET_SAYS_NO = BudgetRefusal(
    "cannot evict pod", message="The disruption budget web needs 2 healthy pods", retry_after_seconds=10.0
)


async def test_leaves_a_pod_alone_that_restarted_three_times(healer: Stand) -> None:
    healer.show(pod(restarts=3))

    await healer.controller.look()

    assert healer.evictions.asked == []


async def test_evicts_a_pod_that_restarted_four_times_by_its_uid(healer: Stand) -> None:
    healer.show(pod(restarts=4))

    await healer.controller.look()

    assert healer.evictions.asked == [("shop", "web-1", "uid-web-1", False)]
    assert [outcome.result for outcome in healer.notebook.outcomes] == ["evicted"]


@pytest.mark.parametrize("namespace", ["kube-system", "selfheal-system", "quiet"])
async def test_leaves_protected_namespaces_alone(namespace: str) -> None:
    healer = stand(policy=HealPolicy(excluded_namespaces=frozenset({"quiet"})))
    healer.show(pod(namespace=namespace))

    await healer.controller.look()

    assert healer.evictions.asked == []
    assert [hold.gate for hold in healer.notebook.held] == ["namespace"]


@pytest.mark.parametrize("kind", ["DaemonSet", "Job", "Node", ""])
async def test_leaves_protected_kinds_alone(healer: Stand, kind: str) -> None:
    owner = OwnerKey(kind, "shop", "web", "owner-uid") if kind else None
    healer.show(pod(owner=owner))

    await healer.controller.look()

    assert healer.evictions.asked == []
    assert [hold.gate for hold in healer.notebook.held] == ["kind"]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (NotFound("pod web-1 is gone"), "gone"),
        (Conflict("the uid in the precondition is not the pod's"), "gone"),
        (BUDGET_SAYS_NO, "blocked"),
        (TooManyRequests("too many requests, please try again later", retry_after_seconds=1.0), "failed"),
        (ServerFault("the server failed"), "failed"),
        (Forbidden("not allowed", verb="create", resource="pods/eviction", namespace="shop"), "failed"),
    ],
    ids=["404: pod gone", "409: another pod of that name", "429: budget", "429: too busy", "500", "403"],
)
async def test_takes_every_answer_for_what_it_means(healer: Stand, answer: Exception, result: str) -> None:
    healer.evictions.answers["web-1"] = answer
    healer.show(pod())

    await healer.controller.look()

    assert [outcome.result for outcome in healer.notebook.outcomes] == [result]


async def test_waits_as_long_as_a_budget_asks_then_tries_again(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = BUDGET_SAYS_NO
    healer.show(pod())
    await healer.controller.look()

    healer.now += 5
    healer.show(pod())
    await healer.controller.look()
    held_meanwhile = healer.notebook.held

    healer.now += 6
    healer.show(pod())
    await healer.controller.look()

    assert "needs 2 healthy pods" in held_meanwhile[0].reason
    assert len(healer.evictions.asked) == 2


async def test_does_not_repeat_an_eviction_that_may_have_arrived(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = ServerFault("the server failed")
    healer.show(pod())
    await healer.controller.look()

    healer.now += 10
    healer.show(pod())
    await healer.controller.look()

    assert len(healer.evictions.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Forbidden("not allowed", verb="create", resource="pods/eviction", namespace="shop"),
        Unauthorized("the credentials are not accepted"),
        TooManyRequests("too many requests, please try again later", retry_after_seconds=1.0),
        ServerFault("the server failed"),
        Unreachable("timed out after 10 s"),
    ],
    ids=["403", "401", "429", "500", "no answer"],
)
async def test_an_eviction_that_failed_is_tried_again_after_the_retry_time(healer: Stand, answer: Exception) -> None:
    healer.evictions.answers["web-1"] = answer
    for tries in (1, 2, 3):
        healer.show(pod())
        await healer.controller.look()

        assert len(healer.evictions.asked) == tries
        healer.now += 60


async def test_an_eviction_that_was_refused_does_not_hold_the_owners_other_pods(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = Forbidden("not allowed", verb="create", resource="pods/eviction", namespace="")
    healer.show(pod(restarts=9), pod("web-2"))
    await healer.controller.look()

    await healer.controller.look()

    assert [asked[1] for asked in healer.evictions.asked] == ["web-1", "web-2"]


async def test_an_eviction_that_may_have_arrived_holds_the_owners_other_pods(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = Unreachable("timed out after 10 s")
    healer.show(pod(restarts=9), pod("web-2"))
    await healer.controller.look()

    healer.now += 59
    healer.show(pod("web-2"))
    await healer.controller.look()

    assert [hold.gate for hold in healer.notebook.held] == ["pacing"]


async def test_a_pod_that_the_server_says_is_another_is_not_asked_for_at_every_look(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = Conflict("the uid in the precondition is not the pod's")
    healer.show(pod())
    await healer.controller.look()

    healer.now += 5
    healer.show(pod())
    await healer.controller.look()

    assert len(healer.evictions.asked) == 1


async def test_a_pod_that_went_meanwhile_does_not_slow_its_owner_down(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = NotFound("gone")
    healer.show(pod())
    await healer.controller.look()

    healer.show(pod("web-2"))
    await healer.controller.look()

    assert [asked[1] for asked in healer.evictions.asked] == ["web-1", "web-2"]


async def test_one_failing_eviction_does_not_stop_the_others(healer: Stand) -> None:
    other = OwnerKey("Deployment", "shop", "api", "other-uid")
    healer.evictions.answers["api-1"] = ServerFault("the server failed")
    healer.show(pod("api-1", restarts=9, owner=other), pod("web-1"))

    await healer.controller.look()

    assert [(outcome.action.name, outcome.result) for outcome in healer.notebook.outcomes] == [
        ("api-1", "failed"),
        ("web-1", "evicted"),
    ]


async def test_what_was_decided_a_while_ago_is_decided_anew(healer: Stand) -> None:
    """An API server that takes its time must not have the last pod removed on a picture that is minutes old."""
    owners = [OwnerKey("Deployment", "shop", name, f"{name}-uid") for name in ("a", "b", "c", "d")]
    crashing = [pod(f"{owner.name}-1", owner=owner) for owner in owners]
    healer.evictions.takes = lambda: healer.passes(ACT_WITHIN_SECONDS / 2 + 1)
    healer.show(*crashing)
    await healer.controller.look()
    assert [asked[1] for asked in healer.evictions.asked] == ["a-1", "b-1"]

    healer.show(crashing[2])
    await healer.controller.look()

    assert [asked[1] for asked in healer.evictions.asked] == ["a-1", "b-1", "c-1"]


def release(name: str, ready: int = 2) -> Application:
    """An application of one release that wants two pods."""
    app = AppKey("shop", name)
    running = deployment(name, namespace="shop", release=name, revision=7, uid=f"{name}-uid", ready=ready)
    return build_application(Parts(app, (), [running]), None, NOW)


async def test_a_revision_that_could_not_be_recorded_in_time_is_recorded_at_the_next_look(healer: Stand) -> None:
    releases = (release("a"), release("b"), release("c"))
    healer.show(applications=releases)
    await healer.controller.look()
    healer.passes(61)
    healer.notebook.takes = lambda: healer.passes(ACT_WITHIN_SECONDS / 2 + 1)
    healer.show(applications=releases)
    await healer.controller.look()
    assert [key.name for key, _ in healer.notebook.good] == ["a", "b"]

    healer.show(applications=releases)
    await healer.controller.look()

    assert [key.name for key, _ in healer.notebook.good] == ["a", "b", "c"]


@pytest.mark.parametrize(("ready_at_first", "since"), [(2, NOW), (1, None)], ids=["healthy", "in trouble"])
async def test_only_what_was_healthy_at_the_first_look_may_go_on_from_an_older_record(
    healer: Stand, ready_at_first: int, since: float | None
) -> None:
    for ready, seconds in ((ready_at_first, 1), (2, 61), (2, 0)):
        healer.show(applications=(release("a", ready=ready),))
        await healer.controller.look()
        healer.passes(seconds)

    assert healer.notebook.watching_since == [since]


async def test_a_dry_run_asks_the_server_to_check_only() -> None:
    healer = stand(dry_run=True)
    healer.show(pod())

    await healer.controller.look()

    assert healer.evictions.asked == [("shop", "web-1", "uid-web-1", True)]
    assert [outcome.result for outcome in healer.notebook.outcomes] == ["dry-run"]


async def test_holds_everything_when_the_watch_is_stale(healer: Stand) -> None:
    healer.picture.current = picture(pod(), fresh_at=NOW - 600)

    decision = await healer.controller.look()

    assert healer.evictions.asked == []
    assert "last seen 10m ago" in decision.held


async def test_stops_cleanly_when_told(healer: Stand) -> None:
    stopped = asyncio.Event()
    running = asyncio.create_task(healer.controller.run(stopped))
    await asyncio.sleep(0)

    stopped.set()
    async with asyncio.timeout(2):
        await running

    assert healer.controller.decision is not None


async def test_begins_nothing_more_once_it_was_told_to_stop(healer: Stand) -> None:
    stopped = asyncio.Event()
    owners = [OwnerKey("Deployment", "shop", name, f"{name}-uid") for name in ("a", "b")]
    healer.evictions.takes = stopped.set
    healer.show(*(pod(f"{owner.name}-1", owner=owner) for owner in owners))

    async with asyncio.timeout(2):
        await healer.controller.run(stopped)

    assert [asked[1] for asked in healer.evictions.asked] == ["a-1"]
    assert [outcome.result for outcome in healer.notebook.outcomes] == ["evicted"]


async def test_goes_on_after_an_unexpected_error(healer: Stand) -> None:
    healer.evictions.answers["web-1"] = ValueError("a bug")
    healer.show(pod())
    stopped = asyncio.Event()
    running = asyncio.create_task(healer.controller.run(stopped))
    async with asyncio.timeout(2):
        while not healer.count("healerd_errors_total", {}):
            await asyncio.sleep(0.01)

    assert not running.done()
    stopped.set()
    await running
