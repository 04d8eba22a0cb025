"""Which pods a ReplicaSet deletes first."""

from typing import Any

import pytest

from selfheal_sandbox.controllers.replica_choice import deletion_cost, victims

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T10:00:00Z"}


def pod(
    name: str,
    *,
    node: str = "n1",
    phase: str = "Running",
    ready: str | None = READY["lastTransitionTime"],
    restarts: int = 0,
    created: str = "2026-01-01T09:00:00Z",
    cost: str | None = None,
) -> dict[str, Any]:
    conditions = [{**READY, "lastTransitionTime": ready}] if ready else [{"type": "Ready", "status": "False"}]
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "annotations": {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {},
        },
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]},
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("x", node=""), pod("a", phase="Pending", ready=None)),
        (pod("x", phase="Pending", ready=None), pod("a", phase="Unknown", ready=None)),
        (pod("x", phase="Unknown", ready=None), pod("a", ready=None)),
        (pod("x", ready=None), pod("a", cost="-100")),
        (pod("x", cost="-1"), pod("a")),
        (pod("x"), pod("a", cost="5")),
        (pod("x", ready="2026-01-01T11:00:00Z"), pod("a")),
        (pod("x", restarts=3), pod("a", restarts=1, created="2026-01-01T09:30:00Z")),
        (pod("x", created="2026-01-01T09:30:00Z"), pod("a")),
    ],
)
def test_each_rule_decides_between_otherwise_equal_pods(first: dict[str, Any], second: dict[str, Any]) -> None:
    pods = [second, first]
    assert victims(pods, 1, []) == [first]


def test_doubled_up_node_loses_a_pod_before_the_younger_pod_elsewhere() -> None:
    crowded = [pod("a", node="n1"), pod("b", node="n1")]
    alone = pod("c", node="n2", ready="2026-01-01T12:00:00Z")
    assert victims([*crowded, alone], 1, [*crowded, alone])[0] in crowded


def test_pods_of_sibling_replica_sets_count_as_doubled_up() -> None:
    mine = [pod("a", node="n1"), pod("b", node="n2")]
    sibling = pod("old", node="n2")
    assert victims(mine, 1, [*mine, sibling]) == [mine[1]]


def test_all_pods_go_when_none_is_wanted() -> None:
    pods = [pod("a"), pod("b")]
    assert victims(pods, 5, pods) == pods


@pytest.mark.parametrize(("text", "cost"), [("-7", -7), ("12", 12), ("many", 0), ("", 0), (None, 0)])
def test_deletion_cost_that_is_no_number_counts_as_zero(text: str | None, cost: int) -> None:
    assert deletion_cost(pod("a", cost=text)) == cost
