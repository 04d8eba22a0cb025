"""Before a verb runs: who asks, and whether the cluster has said anything."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from selfheal_cli.session import Session, asker, first_data, login_name
from selfheal_core.cluster.kubernetes.api_errors import Unauthorized
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import Identity
from selfheal_core.domain.snapshot import Snapshot, Source, SourceCondition
from selfheal_core.errors import ClusterUnreachable
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.executor import Operations

NOW = 1_000_000.0
NOBODY = 4_294_967_290
"""A uid that no system gives to anybody."""


def seen(pods: SourceCondition, *others: SourceCondition, reason: str = "") -> Snapshot:
    sources = {f"other-{number}": Source(f"other-{number}", condition, NOW) for number, condition in enumerate(others)}
    return Snapshot(1, NOW, sources={"pods": Source("pods", pods, NOW, reason=reason), **sources})


@dataclass
class Pictures:
    """An observer that shows one picture after another; the last one stays."""

    coming: list[Snapshot]
    woken: int = 0

    def snapshot(self) -> Snapshot:
        return self.coming[0]

    def wake(self) -> None:
        self.woken += 1

    async def wait_for(self, predicate: Callable[[Snapshot], bool], deadline_seconds: float) -> Snapshot:
        async with asyncio.timeout(deadline_seconds):
            while not predicate(self.coming[0]):
                if len(self.coming) > 1:
                    del self.coming[0]
                await asyncio.sleep(0)
        return self.coming[0]


@dataclass
class Server:
    """An API server that answers one question."""

    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def server_version(self) -> str:
        self.asked.append("version")
        if self.error is not None:
            raise self.error
        return "v1.33.0"


def session(pictures: Pictures, server: Server) -> Session:
    return Session(
        Identity("prod", "prod", "oncall", "payments", "https://prod:6443"),
        cast(KubernetesClient, server),
        cast(Observer, pictures),
        cast(Operations, None),
        ("payments",),
    )


async def test_waits_until_every_stream_has_said_something() -> None:
    pictures = Pictures([seen("connecting"), seen("live", "connecting"), seen("live", "absent", "forbidden")])
    server = Server()

    await first_data(session(pictures, server))

    assert len(pictures.coming) == 1
    assert server.asked == []


async def test_pods_that_are_forbidden_are_an_answer_too() -> None:
    await first_data(session(Pictures([seen("connecting"), seen("forbidden", "forbidden")]), Server()))


async def test_pods_that_are_lost_end_it_at_once_with_the_servers_own_words() -> None:
    refusal = Unauthorized("the API server does not accept the credentials", "log in again")

    # The other stream never gets further than connecting: it is not waited for.
    pictures = Pictures([seen("connecting", "connecting"), seen("lost", "connecting")])
    with pytest.raises(ClusterUnreachable) as raised:
        await first_data(session(pictures, Server(refusal)), deadline_seconds=5)

    assert str(raised.value) == "the API server does not accept the credentials; log in again"
    assert raised.value.exit_code == 4


async def test_a_hiccup_is_tried_again_at_once() -> None:
    pictures, server = Pictures([seen("lost", "connecting"), seen("live", "live")]), Server()

    await first_data(session(pictures, server))

    assert pictures.woken == 1
    assert pictures.snapshot().sources["pods"].condition == "live"


@pytest.mark.parametrize(
    ("last", "why"),
    [(seen("connecting"), "no answer"), (seen("lost", reason="the API server answered 500"), "answered 500")],
    ids=["silent", "still failing"],
)
async def test_a_cluster_without_pods_is_given_up_at_the_deadline(last: Snapshot, why: str) -> None:
    with pytest.raises(ClusterUnreachable) as raised:
        await first_data(session(Pictures([last]), Server()), deadline_seconds=0.05)

    assert "no pods from https://prod:6443 within 0 s" in raised.value.what
    assert why in raised.value.what
    assert "--context" in raised.value.next_step


async def test_slow_figures_do_not_stand_in_the_way_of_live_pods() -> None:
    await first_data(session(Pictures([seen("live", "connecting")]), Server()), deadline_seconds=0.05)


def test_over_ssh_it_is_the_address_that_asks() -> None:
    who = asker("cli", {"USER": "oncall", "SSH_CONNECTION": "203.0.113.7 50000 198.51.100.1 22"})

    assert (who.user, who.host, who.source) == ("oncall", "203.0.113.7", "cli")


def test_without_ssh_it_is_this_machine() -> None:
    assert asker("console", {"LOGNAME": "other"}).host == os.uname().nodename


@pytest.mark.parametrize(
    ("environ", "uid", "name"),
    [
        ({"LOGNAME": "oncall", "USER": "other"}, 0, "oncall"),
        ({"LOGNAME": "", "USER": "other"}, 0, "other"),
        ({}, 0, "root"),
        ({}, NOBODY, f"uid {NOBODY}"),
    ],
)
def test_a_user_without_a_name_has_at_least_a_number(environ: dict[str, str], uid: int, name: str) -> None:
    assert login_name(environ, uid) == name
