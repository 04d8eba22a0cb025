"""Kill and restart, from preview to verified recovery, against real verbs and controllers."""

import asyncio

import pytest

from selfheal_core.errors import BadUsage
from selfheal_core.ops.operation import Impact, Target
from selfheal_sandbox.store.objects import Object
from tests.unit.observe.live_cluster import (
    BUDGETS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACE,
    PODS,
    LiveCluster,
    budget,
)
from tests.unit.ops.conftest import TARGET, Console, run


async def test_kill_evicts_the_pod_and_sees_its_replacement_ready(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations()
    preview = await operations.preview("kill", target)
    assert preview.refusal == ""
    assert (preview.impact, preview.confirmation, preview.confirm_word) == (
        Impact.ONE_APPLICATION,
        "type name",
        "app-a",
    )
    assert preview.same_as == f"kubectl delete pod {target.name} -n payments  # this one evicts instead"
    assert dict(preview.lines)["dry run"] == "accepted by the server"
    steps = await run(operations, preview, "it hangs")
    assert [step.phase for step in steps][:3] == ["pending", "accepted", "running"]
    assert steps[-1].phase == "recovered"
    assert steps[-1].text.startswith("RECOVERED in ")
    assert f"{target.name} is gone and app-a-" in steps[-1].text
    assert target.name not in cluster.pod_names()
    assert console.steps() == ["intent", "confirmation", "verification"] or console.steps() == [
        "intent",
        "confirmation",
        "result",
        "verification",
    ]
    assert {entry.reason for entry in console.journal()} == {"it hangs"}


async def test_kill_touches_no_other_pod_of_that_name(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(replicas=1)
    target = await console.pod_target()
    operations = console.operations()
    preview = await operations.preview("kill", target)
    cluster.objects.delete(PODS, NAMESPACE, target.name)
    await console.observer.wait_for(lambda snapshot: target.uid not in snapshot.pods, 5)
    steps = await run(operations, preview)
    assert (steps[-1].phase, steps[-1].text) == ("refused", f"pod {target.name} is gone")
    assert console.steps() == ["intent", "refused"]


async def test_a_budget_that_allows_nothing_refuses_the_kill_in_its_own_words(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy()
    cluster.create(BUDGETS, budget(maxUnavailable=0))
    target = await console.pod_target()
    await console.until(lambda app: app.budget is not None and app.budget.disruptions_allowed == 0)
    preview = await console.operations().preview("kill", target)
    assert "its disruption budget refuses: Cannot evict pod" in preview.refusal
    writes = cluster.client.writes
    steps = await run(console.operations(), preview)
    assert steps[-1].phase == "refused"
    assert cluster.client.writes == writes


async def test_force_past_a_budget_at_zero_asks_for_the_contexts_name(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    cluster.create(BUDGETS, budget(maxUnavailable=0))
    target = await console.pod_target()
    await console.until(lambda app: app.budget is not None)
    operations = console.operations()
    preview = await operations.preview("kill", target, {"force": "yes"})
    assert (preview.confirmation, preview.confirm_word) == ("type context", "practice")
    assert preview.same_as.endswith("--grace-period=0 --force")
    steps = await run(operations, preview)
    assert steps[-1].phase == "recovered"
    assert target.name not in cluster.pod_names()


async def test_in_the_sandbox_a_kill_costs_one_letter(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    preview = await console.operations(sandbox=True).preview("kill", target)
    assert preview.confirmation == "letter"


async def test_a_kill_whose_replacement_does_not_come_up_says_not_verified(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy(replicas=1)
    target = await console.pod_target()
    operations = console.operations(verify_seconds=0.4)
    preview = await operations.preview("kill", target)
    cluster.kubelet._start_seconds = 60
    steps = await run(operations, preview)
    assert steps[-1].phase == "not verified"
    assert steps[-1].text.startswith("NOT VERIFIED after ")
    assert steps[-1].next_step.startswith("see why the new pod is not ready: kubectl")
    assert console.journal()[-1].phase == "not verified"


async def test_a_kill_is_done_when_the_application_was_scaled_down_meanwhile(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy(replicas=3)
    await console.until(lambda app: app.ready == 3)
    target = await console.pod_target()
    operations = console.operations()
    preview = await operations.preview("kill", target)
    cluster.kubelet._start_seconds = 60
    steps = []
    async for step in operations.run(preview):
        steps.append(step)
        if step.phase == "verifying" and len(steps) < 10 and target.name not in cluster.pod_names():
            cluster.change(DEPLOYMENTS, "app-a", lambda current: with_replicas(current, 2))
    assert steps[-1].phase == "recovered"
    assert f"{target.name} is gone and no new one is due: app-a wants 2 pods by now, all ready" in steps[-1].text


@pytest.mark.parametrize("value", ["maybe", "", "YES"])
async def test_force_is_yes_or_no(cluster: LiveCluster, console: Console, value: str) -> None:
    cluster.deploy()
    target = await console.pod_target()
    with pytest.raises(BadUsage, match="force is yes or no"):
        await console.operations().preview("kill", target, {"force": value})


async def test_a_bare_pod_is_not_killed_because_nothing_would_replace_it(
    cluster: LiveCluster, console: Console
) -> None:
    container = {"name": "app", "image": "app:good"}
    cluster.create(PODS, {"metadata": {"name": "lonely"}, "spec": {"containers": [container]}})
    found = await console.observer.wait_for(lambda snapshot: bool(snapshot.pods), 5)
    (uid,) = found.pods
    target = Target("pod", NAMESPACE, "lonely", "lonely", uid)
    preview = await console.operations().preview("kill", target)
    assert preview.refusal.startswith("nothing owns it, so nothing would replace it")


async def test_restart_replaces_every_pod_and_verifies(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    before = (await console.until(lambda app: app.state == "healthy")).pods
    operations = console.operations()
    preview = await operations.preview("restart", TARGET)
    assert (preview.refusal, preview.confirmation, preview.confirm_word) == ("", "type name", "app-a")
    assert preview.same_as == "kubectl rollout restart deployment/app-a -n payments"
    assert dict(preview.lines)["now"] == "2 of 2 ready · errors: no data"
    steps = await run(operations, preview)
    assert steps[-1].phase == "recovered"
    assert "2 of 2 updated, 2 of 2 ready" in steps[-1].text
    after = (await console.until(lambda app: app.state == "healthy")).pods
    assert not set(before) & set(after)
    template = cluster.objects.get(DEPLOYMENTS, NAMESPACE, "app-a")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


async def test_restart_with_capacity_to_spare_asks_for_a_countdown_only(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(replicas=3)
    await console.until(lambda app: app.ready == 3)
    preview = await console.operations().preview("restart", TARGET)
    assert (preview.impact, preview.confirmation, preview.confirm_word) == (Impact.UNDOABLE, "countdown", "")


@pytest.mark.parametrize(
    ("replicas", "does"), [(1, "replaces its one pod with a fresh one"), (2, "replaces its 2 pods one by one")]
)
async def test_a_restart_says_how_many_pods_it_replaces(
    cluster: LiveCluster, console: Console, replicas: int, does: str
) -> None:
    cluster.deploy(replicas=replicas)
    await console.until(lambda app: app.ready == replicas)
    assert dict((await console.operations().preview("restart", TARGET)).lines)["does"].startswith(does)


async def test_restart_holds_the_releases_lease_while_it_works(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(release="app-a")
    await console.until(lambda app: app.state == "healthy")
    operations = console.operations()
    preview = await operations.preview("restart", TARGET)
    holders = []
    async for step in operations.run(preview):
        lease = cluster.objects.store.get(LEASES, NAMESPACE, "selfheal-op-app-a")
        holders.append((step.phase, lease["spec"].get("holderIdentity", "") if lease is not None else None))
    assert holders[0] == ("pending", None)
    phase, holder = holders[1]
    assert phase == "accepted"
    assert holder is not None
    assert holder.startswith("oncall@bastion-1 (console, restart, ")
    released = cluster.objects.store.get(LEASES, NAMESPACE, "selfheal-op-app-a")
    assert released is not None
    assert not released["spec"].get("holderIdentity")


async def test_an_application_that_changed_since_the_preview_is_refused(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.until(lambda app: app.state == "healthy")
    operations = console.operations()
    preview = await operations.preview("restart", TARGET)
    cluster.change(DEPLOYMENTS, "app-a", scaled)
    await console.until(lambda app: app.desired == 4)
    writes = cluster.client.writes
    steps = await run(operations, preview)
    assert steps[-1].phase == "refused"
    assert steps[-1].text == "the world moved since the preview: wanted pods was 2, is 4"
    assert cluster.client.writes == writes


def with_replicas(current: Object, replicas: int) -> Object:
    return {**current, "spec": {**current["spec"], "replicas": replicas}}


def scaled(current: Object) -> Object:
    return with_replicas(current, 4)


def paused(current: Object) -> Object:
    return {**current, "spec": {**current["spec"], "paused": True}}


async def test_a_paused_rollout_is_not_restarted(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.until(lambda app: app.state == "healthy")
    cluster.change(DEPLOYMENTS, "app-a", paused)
    await console.until(lambda app: app.tracks[0].paused)
    preview = await console.operations().preview("restart", TARGET)
    assert "kubectl rollout resume deployment/app-a -n payments" in preview.refusal


async def test_an_unknown_application_or_track_is_named(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.until(lambda app: app.state == "healthy")
    operations = console.operations()
    unknown = await operations.preview("restart", Target("application", NAMESPACE, "nobody", "nobody"))
    assert unknown.refusal == "there is no application nobody in payments"
    with pytest.raises(BadUsage, match="has no track 'canry'"):
        await operations.preview("restart", TARGET, {"track": "canry"})


async def test_cancelling_before_the_write_sends_nothing(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.until(lambda app: app.state == "healthy")
    operations = console.operations()
    preview = await operations.preview("restart", TARGET)
    template = cluster.objects.get(DEPLOYMENTS, NAMESPACE, "app-a")["spec"]["template"]
    phases = []
    async for step in operations.run(preview):
        phases.append(step.phase)
        if step.phase == "running":
            assert operations.running == (step.operation_id,)
            assert await operations.cancel(step.operation_id)
    assert phases[-1] == "cancelled"
    assert cluster.objects.get(DEPLOYMENTS, NAMESPACE, "app-a")["spec"]["template"] == template
    assert operations.running == ()
    assert not await operations.cancel("unknown")


async def test_cancelling_while_it_verifies_says_that_the_change_stays(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(replicas=1)
    target = await console.pod_target()
    operations = console.operations()
    preview = await operations.preview("kill", target)
    cluster.kubelet._start_seconds = 60
    steps = []
    async with asyncio.timeout(8):
        async for step in operations.run(preview):
            steps.append(step)
            if step.phase == "verifying":
                await operations.cancel(step.operation_id)
    assert steps[-1].phase == "cancelled"
    assert "what was sent stays" in steps[-1].text


async def test_closing_the_run_gives_the_lease_back_and_tells_the_journal(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy(release="app-a")
    await console.until(lambda app: app.state == "healthy")
    operations = console.operations()
    preview = await operations.preview("restart", TARGET)
    running = operations.run(preview)
    async for step in running:
        if step.phase == "accepted":
            break
    await running.aclose()
    lease = cluster.objects.store.get(LEASES, NAMESPACE, "selfheal-op-app-a")
    assert lease is not None
    assert not lease["spec"].get("holderIdentity")
    assert console.journal()[-1].phase == "cancelled"
    assert operations.running == ()


async def test_leaving_after_the_last_step_is_not_written_down_as_giving_up(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations()
    steps = operations.run(await operations.preview("kill", target))

    async for progress in steps:
        if progress.final:
            break
    await steps.aclose()

    assert progress.phase == "recovered"
    assert not any("given up" in entry.text for entry in console.journal())


async def test_a_recovery_is_called_one_only_once_it_has_lasted(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target = await console.pod_target()
    operations = console.operations(steady_seconds=0.5)

    steps = await run(operations, await operations.preview("kill", target))

    lasting = next(step for step in steps if step.text.endswith("watching that it lasts"))
    assert steps[-1].phase == "recovered"
    assert steps[-1].at - lasting.at >= 0.5
