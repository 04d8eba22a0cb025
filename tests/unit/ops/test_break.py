"""Breaking things on purpose: only in a sandbox, only what is well, and the menu names the layer that heals it."""

from dataclasses import replace

import pytest

from selfheal_core.errors import BadUsage
from selfheal_core.ops.executor import ACTIONS
from selfheal_core.ops.fault_runs import RUNS, restarted
from selfheal_core.ops.faults import FAULTS, busiest_node
from selfheal_core.ops.operation import Preview
from selfheal_service.practice import BurnBody, HealthBody, ReadyBody
from tests.unit.domain.builders import crashing, row
from tests.unit.observe.live_cluster import BAD, GOOD, LiveCluster
from tests.unit.ops.conftest import TARGET, Console, install, run


async def preview_of(console: Console, fault: str, *, sandbox: bool = True) -> Preview:
    return await console.operations(sandbox=sandbox).preview("break", TARGET, {"fault": fault})


@pytest.mark.parametrize("fault", FAULTS)
async def test_outside_a_sandbox_every_fault_is_refused_where_it_would_be_run(
    cluster: LiveCluster, console: Console, fault: str
) -> None:
    cluster.deploy()
    await console.pod_target()
    allowed = await console.operations().allowed("break", TARGET)
    assert (allowed.ok, "only in a sandbox" in allowed.reason) == (False, True)
    assert "only in a sandbox" in (await preview_of(console, fault, sandbox=False)).refusal
    forged = await preview_of(console, "crash")
    steps = await run(console.operations(), forged)
    assert (steps[-1].phase, "only in a sandbox" in steps[-1].text) == ("refused", True)
    assert cluster.client.writes == 0


async def test_the_preview_says_what_heals_it_and_within_how_long_and_asks_for_one_letter(
    cluster: LiveCluster, console: Console
) -> None:
    cluster.deploy()
    await console.pod_target()
    for fault in FAULTS.values():
        preview = await preview_of(console, fault.name)
        facts = dict(preview.lines)
        assert facts["heals"] == f"layer {fault.layer}: {fault.heals}"
        assert facts["within"].startswith("about ")
        assert preview.confirmation == "letter"
        assert [choice.value for choice in preview.choices["fault"]] == list(FAULTS)
    assert cluster.client.writes == 0


async def test_what_is_broken_already_is_left_to_heal_first(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(image=BAD)
    await console.until(lambda app: app.severity == "bad")
    assert "it is broken already" in (await preview_of(console, "crash")).refusal


@pytest.mark.parametrize(
    ("fault", "why"), [("cpu-peak", "it has no autoscaler"), ("bad-release", "it was not installed by Helm")]
)
async def test_a_fault_that_nothing_would_answer_to_is_refused(
    cluster: LiveCluster, console: Console, fault: str, why: str
) -> None:
    cluster.deploy()
    await console.pod_target()
    assert why in (await preview_of(console, fault)).refusal


@pytest.mark.parametrize(
    ("chart", "why"),
    [
        ("selfheal-service", ""),
        ("nginx", "it is of the chart nginx; a bad release is made of the chart selfheal-service"),
    ],
)
async def test_a_release_of_another_chart_is_not_upgraded_with_ours(
    cluster: LiveCluster, console: Console, chart: str, why: str
) -> None:
    install(cluster, 1, GOOD, chart=chart)
    await console.pod_target()
    await console.until(lambda app: any(track.revision == 1 for track in app.tracks))
    refusal = (await preview_of(console, "bad-release")).refusal
    assert refusal.startswith(why) if why else not refusal


async def test_a_drain_is_of_the_node_that_the_preview_named(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.pod_target()
    operations = console.operations(sandbox=True)
    preview = await operations.preview("break", TARGET, {"fault": "drain-node"})
    other = replace(preview, precondition={**preview.precondition, "node": "another-node"})
    steps = await run(operations, other)
    assert steps[-1].phase == "refused"
    assert "node was another-node, is " in steps[-1].text
    assert cluster.client.writes == 0


async def test_an_unknown_fault_names_the_nearest(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    with pytest.raises(BadUsage, match="did you mean 'crash-loop'"):
        await preview_of(console, "crash-lop")


def test_every_layer_up_to_six_can_be_seen_and_every_fault_can_be_run() -> None:
    assert {fault.layer for fault in FAULTS.values()} == {1, 2, 3, 4, 5, 6}
    assert set(RUNS) == set(FAULTS)
    assert ACTIONS["break"].parameters == {"fault"}


def test_the_service_takes_what_is_posted_to_it() -> None:
    HealthBody.model_validate(dict(FAULTS["hang"].body))
    ReadyBody.model_validate(dict(FAULTS["unready"].body))
    BurnBody.model_validate(dict(FAULTS["cpu-peak"].body))


def test_the_busiest_node_is_the_one_named_most_often_and_the_first_among_equals() -> None:
    assert busiest_node(["node-2", "node-1", "node-2", ""]) == "node-2"
    assert busiest_node(["node-3", "node-1"]) == "node-1"
    assert busiest_node([]) == ""


async def test_only_what_is_undone_at_the_end_is_said_to_be_taken_back(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.pod_target()
    taken_back = {name for name in FAULTS if "takes back" in dict((await preview_of(console, name)).lines)["runs in"]}
    assert taken_back == {"unready", "cpu-peak", "drain-node"}


def test_a_pod_that_runs_again_is_not_called_a_crash_loop_in_the_same_breath() -> None:
    before = row(restarts=1)
    down = restarted(before, crashing(restarts=2))
    assert (down.done, " is crash loop, 1 restart since: " in down.text) == (False, True)
    back = restarted(before, crashing(restarts=2, ready_containers=1))
    assert back.done
    assert back.text.endswith(" runs again and is ready, 1 restart since")
