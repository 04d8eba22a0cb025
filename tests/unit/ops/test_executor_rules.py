"""The rules that hold for every verb: read-only, freshness, permission, journal, parameters."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.kubernetes import requests
from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.errors import BadUsage
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.executor import ACTIONS, Operations, what_moved
from selfheal_core.ops.journal import Journal
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS, built_verbs, find_verb
from tests.unit.observe.live_cluster import LiveCluster
from tests.unit.ops.conftest import TARGET, WHO, Console, run


def test_every_built_verb_has_an_action_and_no_other() -> None:
    assert set(ACTIONS) == {verb.name for verb in built_verbs()}


def test_keys_are_upper_case_and_their_own() -> None:
    keys = [verb.key for verb in VERBS.values()]
    assert all(key.isupper() and len(key) == 1 for key in keys)
    assert len(set(keys)) == len(keys)


def test_an_unbuilt_verb_names_what_exists() -> None:
    with pytest.raises(BadUsage, match="verb 'promote' is not in this version; known: break, kill, restart, rollback"):
        find_verb("promote")


def test_an_unknown_verb_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadUsage, match="unknown verb 'rolback'; did you mean 'rollback'"):
        find_verb("rolback")


def test_what_moved_names_each_fact() -> None:
    assert what_moved({"revision": "7", "health": "x"}, {"revision": "8", "health": "x"}) == "revision was 7, is 8"
    assert what_moved({"gone": "1"}, {"new": "2"}) == "gone was 1, is unknown; new was unknown, is 2"
    assert what_moved({"same": "1"}, {"same": "1"}) == ""


async def test_read_only_refuses_and_asks_the_server_for_nothing(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations(read_only=True)
    assert (await operations.allowed("kill", target)).reason == "this console is read-only"
    preview = await operations.preview("kill", target)
    assert dict(preview.lines)["dry run"] == "not asked for: this console is read-only"
    steps = await run(operations, preview)
    assert (steps[-1].phase, steps[-1].text) == ("refused", "this console is read-only")
    assert cluster.client.writes == 0
    assert console.steps() == ["intent", "refused"]


async def test_old_data_is_not_acted_on(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations(stale_seconds=0.0)
    allowed = await operations.allowed("kill", target)
    assert not allowed.ok
    assert allowed.reason.startswith("no changes on old data: pods are ")


async def test_a_lost_cluster_dims_every_verb_and_names_the_source(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations()
    assert (await operations.allowed("kill", target)).ok
    await cluster.server.stop()
    await console.observer.wait_for(lambda snapshot: snapshot.sources["pods"].condition == "lost", 5)
    allowed = await operations.allowed("kill", target)
    assert allowed.reason.startswith("no changes on old data: pods are lost, last seen ")


async def test_a_preview_is_refused_once_the_cluster_gives_no_answer_even_before_a_watch_says_so(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations()
    await cluster.server.stop()

    preview = await operations.preview("kill", target)

    assert "no answer from" in preview.refusal


async def test_a_verb_for_another_kind_of_target(cluster: LiveCluster, console: Console) -> None:
    operations = console.operations()
    assert (await operations.allowed("kill", TARGET)).reason == "kill pod is for one pod"
    with pytest.raises(BadUsage, match="kill is for one pod, not for one application"):
        await operations.preview("kill", TARGET)
    with pytest.raises(BadUsage, match="is not in this version"):
        await operations.allowed("abort", TARGET)


async def test_a_parameter_that_a_verb_does_not_take(cluster: LiveCluster, console: Console) -> None:
    with pytest.raises(BadUsage, match="rollback takes no parameter 'revison'; did you mean 'revision'"):
        await console.operations().preview("rollback", TARGET, {"revison": "6"})


class CountingReviews(KubernetesClient):
    """Answers questions about rights itself, and counts them."""

    def __init__(self, other: KubernetesClient) -> None:
        super().__init__(other.connection, user_agent="tests/1")
        self.asked: list[str] = []
        self.denied = ""

    async def may(self, access: requests.Access, namespace: str, name: str = "") -> bool:
        self.asked.append(str(access))
        return str(access) != self.denied


def over(client: KubernetesClient, console: Console, clock: "Clock") -> Operations:
    operations = console.operations(clock=clock)
    operations._world = replace(operations._world, client=client)
    return operations


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def test_rights_are_asked_once_in_five_minutes(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    clock = Clock(console.observer.snapshot().taken_at)
    client = CountingReviews(cluster.client)
    operations = over(client, console, clock)
    for _ in range(3):
        assert (await operations.allowed("kill", target)).ok
    assert client.asked == ["create pods/eviction"]
    clock.now += 50
    assert (await operations.allowed("kill", target)).ok
    assert len(client.asked) == 1


async def test_a_missing_right_is_named(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    client = CountingReviews(cluster.client)
    client.denied = "create pods/eviction"
    operations = over(client, console, Clock(console.observer.snapshot().taken_at))
    allowed = await operations.allowed("kill", target)
    assert allowed.reason == "not allowed to create pods/eviction in namespace payments"


async def test_rights_that_can_not_be_asked_are_not_assumed(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations()
    await cluster.server.stop()
    allowed = await operations.allowed("kill", target)
    assert not allowed.ok
    assert "create pods/eviction" in allowed.reason or "old data" in allowed.reason


class SilentReviews(KubernetesClient):
    """Does not say what we may do, as where reviews themselves are forbidden, or says it too late."""

    def __init__(self, other: KubernetesClient, error: Exception) -> None:
        super().__init__(other.connection, user_agent="tests/1")
        self.asked = 0
        self._error = error

    async def may(self, access: requests.Access, namespace: str, name: str = "") -> bool:
        self.asked += 1
        raise self._error


@pytest.mark.parametrize(
    "error", [ApiError("forbidden", status=403), ApiError("no such method", status=405), TimeoutError()]
)
async def test_rights_that_the_server_does_not_tell_leave_the_verb_offered_and_are_called_unknown(
    cluster: LiveCluster, console: Console, error: Exception
) -> None:
    cluster.deploy()
    target = await console.pod_target()
    clock = Clock(console.observer.snapshot().taken_at)
    client = SilentReviews(cluster.client, error)
    operations = over(client, console, clock)
    allowed = await operations.allowed("kill", target)
    assert (allowed.ok, allowed.reason) == (True, "")
    assert allowed.caution.startswith("rights unknown")
    assert dict((await operations.preview("kill", target)).lines)["rights"] == allowed.caution
    assert client.asked == 1
    clock.now += 31
    await operations.allowed("kill", target)
    assert client.asked == 2


async def test_a_preview_of_one_cluster_is_not_carried_out_on_another(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    preview = await console.operations(context="prod").preview("kill", target)
    steps = await run(console.operations(context="staging"), preview)
    assert (steps[-1].phase, "context was prod, is staging" in steps[-1].text) == ("refused", True)
    assert cluster.client.writes == 0


async def test_without_a_journal_nothing_is_done(cluster: LiveCluster, console: Console, tmp_path: Path) -> None:
    cluster.deploy()
    target = await console.pod_target()
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    console.journal_path = blocked / "journal.jsonl"
    operations = console.operations()
    preview = await operations.preview("kill", target)
    steps = await run(operations, preview)
    assert steps[-1].phase == "refused"
    assert "can't be written" in steps[-1].text
    assert cluster.client.writes == 0
    assert target.name in cluster.pod_names()


async def test_a_journal_that_fills_up_later_is_admitted(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(replicas=1)
    target = await console.pod_target()
    operations = console.operations()
    preview = await operations.preview("kill", target)
    steps = []
    async with asyncio.timeout(8):
        async for step in operations.run(preview):
            steps.append(step)
            if step.phase == "running":
                console.journal_path.unlink()
                console.journal_path.parent.rmdir()
                console.journal_path.parent.write_text("in the way")
    assert steps[-1].phase == "recovered"
    assert "(not in the journal: the journal " in steps[-1].text


async def test_a_refusal_found_at_the_preview_is_refused_at_the_run(cluster: LiveCluster, console: Console) -> None:
    operations = console.operations()
    await console.observer.wait_for(lambda snapshot: snapshot.fresh("deployments", snapshot.taken_at, 5), 5)
    gone = Target("pod", "payments", "nobody", "app-a", "uid-nobody")
    preview = await operations.preview("kill", gone)
    assert preview.refusal == "pod nobody is gone"
    steps = await run(operations, preview)
    assert steps[-1].phase == "refused"


async def test_an_observer_that_never_saw_anything_allows_nothing(cluster: LiveCluster, tmp_path: Path) -> None:
    async def no_helm() -> Helm:
        raise AssertionError

    observer = Observer(cluster.client)
    operations = Operations(
        cluster.client,
        no_helm,
        observer,
        Journal(tmp_path / "j"),
        who=WHO,
        read_only=False,
    )
    allowed = await operations.allowed("rollback", TARGET)
    assert allowed.reason == "no changes on old data: pods were never seen: connecting"
