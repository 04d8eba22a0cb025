"""Killing marked pods: every one is listed, they go one after another, and the first refusal ends it."""

import time

from selfheal_core.ops.operation import Impact, Target
from tests.unit.observe.live_cluster import BUDGETS, NAMESPACE, PODS, LiveCluster, budget
from tests.unit.ops.conftest import Console, run


async def marked(console: Console, count: int) -> tuple[Target, dict[str, str], list[str]]:
    """The first pod as target, the parameter, and all names."""
    application = await console.until(lambda app: app.ready == app.desired)
    rows = [console.observer.snapshot().pods[uid] for uid in sorted(application.pods)][:count]
    first = rows[0]
    target = Target("pod", first.namespace, first.name, "app-a", first.uid)
    return target, {"pods": ",".join(row.uid for row in rows)}, [row.name for row in rows]


async def test_the_preview_lists_every_pod_with_owner_and_budget_and_asks_for_context_and_reason(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy(replicas=3)
    cluster.create(BUDGETS, budget(maxUnavailable=1))
    await console.until(lambda app: app.budget is not None and app.budget.disruptions_allowed == 1)
    target, pods, names = await marked(console, 3)
    preview = await console.operations().preview("kill", target, pods)
    assert (preview.impact, preview.confirmation, preview.confirm_word) == (Impact.MANY, "type context", "practice")
    assert preview.title == "Kill 3 pods in payments on practice"
    for name in names:
        assert f"{name}: running; Deployment app-a; PDB app-a allows 1; accepted by the server" in preview.diff
    assert cluster.client.writes == 0


async def test_they_go_one_after_another_each_replaced_before_the_next(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(replicas=3)
    cluster.create(BUDGETS, budget(maxUnavailable=1))
    await console.until(lambda app: app.budget is not None and app.budget.disruptions_allowed == 1)
    target, pods, names = await marked(console, 2)
    operations = console.operations()
    steps = await run(operations, await operations.preview("kill", target, pods), "noisy")
    assert steps[-1].phase == "recovered", steps
    assert f"2 of 2 evicted ({', '.join(names)})" in steps[-1].text
    assert [step.text for step in steps if step.phase == "running"] == [
        f"{number} of 2: evicting {name}" for number, name in enumerate(names, 1)
    ]
    assert not set(names) & cluster.pod_names()
    assert len(cluster.pod_names()) == 3


async def test_the_first_refusal_ends_it_and_says_what_was_done(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(replicas=3)
    target, pods, names = await marked(console, 3)
    operations = console.operations()
    preview = await operations.preview("kill", target, pods)
    steps = []
    async for step in operations.run(preview):
        steps.append(step)
        if step.text == f"2 of 3: evicting {names[1]}":
            cluster.create(BUDGETS, budget(maxUnavailable=0))
    assert steps[-1].phase == "failed"
    assert steps[-1].text.startswith(f"stopped at {names[1]}: its disruption budget refuses")
    assert steps[-1].text.endswith(f"1 of 3 evicted ({names[0]})")
    assert set(names[1:]) <= cluster.pod_names()


async def test_data_that_grows_old_meanwhile_ends_it_before_the_next_one(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy(replicas=3)
    target, pods, names = await marked(console, 3)
    later = 0.0
    operations = console.operations(clock=lambda: time.time() + later)
    steps = []
    async for step in operations.run(await operations.preview("kill", target, pods)):
        steps.append(step)
        if step.text == f"2 of 3: evicting {names[1]}":
            later = 3600.0
    assert steps[-1].phase == "failed"
    assert steps[-1].text.startswith(f"stopped at {names[1]}: no changes on old data: pods are silent")
    assert set(names[1:]) <= cluster.pod_names()


async def test_a_budget_that_lets_the_first_one_go_nowhere_refuses_the_preview(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy()
    cluster.create(BUDGETS, budget(maxUnavailable=0))
    await console.until(lambda app: app.budget is not None)
    target, pods, _ = await marked(console, 2)
    preview = await console.operations().preview("kill", target, pods)
    assert preview.refusal.startswith("the first one can't go: its disruption budget refuses")


async def test_force_is_for_one_pod_at_a_time(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    target, pods, _ = await marked(console, 2)
    preview = await console.operations().preview("kill", target, {**pods, "force": "yes"})
    assert preview.refusal == "force is for one pod at a time"


async def test_pods_that_went_since_the_preview_are_told_before_anything_is_sent(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy(replicas=3)
    target, pods, names = await marked(console, 3)
    operations = console.operations()
    preview = await operations.preview("kill", target, pods)
    gone = pods["pods"].split(",")[2]
    cluster.client.writes = 0
    cluster.objects.delete(PODS, NAMESPACE, names[2])
    await console.observer.wait_for(lambda snapshot: gone not in snapshot.pods, 5)
    steps = await run(operations, preview)
    assert steps[-1].phase == "refused"
    assert f"pod {names[2]} was {gone}, is unknown" in steps[-1].text
    assert cluster.client.writes == 0
