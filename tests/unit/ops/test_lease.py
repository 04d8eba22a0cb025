"""The lease of a release: one holder at a time, a stale one is taken over, a lost one is noticed."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.client import DEADLINE_SECONDS, KubernetesClient
from selfheal_core.cluster.kubernetes.requests import lease as lease_body
from selfheal_core.errors import Refused
from selfheal_core.ops.lease import ReleaseLease, lease_name
from tests.unit.observe.live_cluster import LEASES, NAMESPACE, LiveCluster

NAME = "selfheal-op-app-a"


class Clock:
    """Real time, shifted."""

    def __init__(self) -> None:
        self.shift = 0.0

    def __call__(self) -> float:
        return time.time() + self.shift


class Confused(KubernetesClient):
    """A client with a proxy in between that answers in place of the server, with something that is no object."""

    async def replace(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Any:
        return {}


def lease(
    cluster: LiveCluster,
    holder: str = "oncall@bastion",
    clock: Clock | None = None,
    monotonic: Clock | None = None,
    client: KubernetesClient | None = None,
) -> ReleaseLease:
    return ReleaseLease(
        client or cluster.client,
        namespace=NAMESPACE,
        subject="app-a",
        holder=holder,
        clock=clock or Clock(),
        renew_seconds=0.02,
        monotonic=monotonic or Clock(),
    )


def holder_of(cluster: LiveCluster) -> str:
    found = cluster.objects.store.get(LEASES, NAMESPACE, NAME)
    return str(found["spec"].get("holderIdentity") or "") if found is not None else "none"


async def test_is_held_while_the_block_runs_and_given_back(cluster: LiveCluster) -> None:
    async with lease(cluster).hold() as held:
        assert holder_of(cluster) == "oncall@bastion"
        assert held.lost == ""
    assert holder_of(cluster) == ""


async def test_is_given_back_when_the_block_fails(cluster: LiveCluster) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        async with lease(cluster).hold():
            raise RuntimeError("broken")
    assert holder_of(cluster) == ""


async def test_another_holder_is_named_with_its_time(cluster: LiveCluster) -> None:
    async with lease(cluster).hold():
        with pytest.raises(Refused, match=r"another operation on app-a is under way: oncall@bastion, since 0s ago"):
            await lease(cluster, "other@laptop").acquire()
        assert holder_of(cluster) == "oncall@bastion"


async def test_can_be_taken_again_after_it_was_given_back(cluster: LiveCluster) -> None:
    async with lease(cluster).hold():
        pass
    async with lease(cluster, "other@laptop").hold():
        assert holder_of(cluster) == "other@laptop"


async def test_a_lease_whose_holder_died_is_taken_over(cluster: LiveCluster) -> None:
    dead = time.time() - 60
    body = lease_body(NAMESPACE, NAME, holder="carol", duration_seconds=30, acquired_at=dead, renewed_at=dead)
    cluster.create(LEASES, body)
    held = await lease(cluster, "other@laptop").acquire()
    assert holder_of(cluster) == "other@laptop"
    assert held.transitions == 1


async def test_a_lease_that_has_just_run_out_is_left_for_a_moment(cluster: LiveCluster) -> None:
    late = time.time() - 32
    body = lease_body(NAMESPACE, NAME, holder="carol", duration_seconds=30, acquired_at=late, renewed_at=late)
    cluster.create(LEASES, body)
    with pytest.raises(Refused, match="carol"):
        await lease(cluster).acquire()


async def test_of_two_at_once_one_gets_it(cluster: LiveCluster) -> None:
    results = await asyncio.gather(
        *(lease(cluster, f"holder-{number}").acquire() for number in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, Refused) for result in results if isinstance(result, BaseException))


async def test_is_renewed_while_held(cluster: LiveCluster) -> None:
    async with lease(cluster).hold():
        first = cluster.objects.get(LEASES, NAMESPACE, NAME)["spec"]["renewTime"]
        async with asyncio.timeout(5):
            while cluster.objects.get(LEASES, NAMESPACE, NAME)["spec"]["renewTime"] == first:
                await asyncio.sleep(0.005)


async def test_a_block_that_ends_during_a_renewal_ends_as_it_did_and_gives_the_lease_back(cluster: LiveCluster) -> None:
    for _ in range(20):
        async with lease(cluster).hold():
            stored = cluster.objects.get(LEASES, NAMESPACE, NAME)["spec"]["renewTime"]
            async with asyncio.timeout(5):
                while cluster.objects.get(LEASES, NAMESPACE, NAME)["spec"]["renewTime"] == stored:
                    await asyncio.sleep(0)  # so as to see the renewal before its answer is read
        assert holder_of(cluster) == ""


async def test_a_lease_that_another_took_just_now_does_not_spoil_the_end(cluster: LiveCluster) -> None:
    async with lease(cluster).hold():
        cluster.change(LEASES, NAME, lambda body: {**body, "spec": {**body["spec"], "holderIdentity": "carol"}})
    assert holder_of(cluster) == "carol"


async def test_a_lease_that_another_took_is_lost_and_not_given_back(cluster: LiveCluster) -> None:
    async with lease(cluster).hold() as held:
        cluster.change(LEASES, NAME, lambda body: {**body, "spec": {**body["spec"], "holderIdentity": "carol"}})
        async with asyncio.timeout(5):
            while not held.lost:
                await asyncio.sleep(0.005)
    assert holder_of(cluster) == "carol"


async def test_a_lease_that_can_not_be_renewed_is_given_up_before_it_runs_out(cluster: LiveCluster) -> None:
    clock, monotonic = Clock(), Clock()
    async with lease(cluster, clock=clock, monotonic=monotonic).hold() as held:
        await cluster.server.stop()
        clock.shift = -3600.0  # a clock that is corrected meanwhile makes no lease last longer
        await asyncio.sleep(0.1)
        assert held.lost == ""
        monotonic.shift = 31.0
        async with asyncio.timeout(5):
            while not held.lost:
                await asyncio.sleep(0.005)
    assert "could not be renewed" in held.lost


async def test_an_answer_that_is_no_lease_does_not_count_as_renewed(cluster: LiveCluster) -> None:
    monotonic = Clock()
    client = Confused(cluster.client.connection, user_agent="tests/1")
    async with lease(cluster, monotonic=monotonic, client=client).hold() as held:
        await asyncio.sleep(0)  # the renewing begins
        monotonic.shift = 31.0
        async with asyncio.timeout(5):
            while not held.lost:
                await asyncio.sleep(0.005)
    assert "the answer to writing a Lease is no Lease" in held.lost


def test_a_subject_that_is_no_object_name_gets_a_safe_one(tmp_path: Path) -> None:
    assert lease_name("app-a") == NAME
    for odd in ("App_A", "x" * 300, "a/b", "-a"):
        name = lease_name(odd)
        assert name.startswith("selfheal-op-")
        assert len(name) <= 63
    assert lease_name("A") != lease_name("B")
