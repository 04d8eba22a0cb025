"""What the steps of the story conclude from what kubectl prints."""

import json
from typing import Any

import pytest

from selfheal_cli.demo.stage import Output
from selfheal_cli.demo.steps import gone, gone_or_crashed, has_replicas


def said(seen: dict[str, Any] | None, code: int = 0) -> Output:
    return Output(("kubectl",), code, json.dumps(seen) if seen is not None else "", "")


def pod(restarts: int, *, ready: bool = True, deleted: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


@pytest.mark.parametrize(
    ("wanted", "there", "holds"), [(2, 2, True), (2, 3, False), (3, 2, False), (5, 5, False), (2, None, False)]
)
def test_a_deployment_is_at_rest_once_it_wants_and_has_its_fewest_pods(
    wanted: int, there: int | None, holds: bool
) -> None:
    status = {} if there is None else {"replicas": there}

    assert has_replicas(said({"spec": {"replicas": wanted}, "status": status}), 2) is holds


def test_no_answer_is_not_at_rest() -> None:
    assert has_replicas(said(None, 1), 2) is False


def test_a_pod_is_gone_when_it_is_on_its_way_out() -> None:
    assert gone(said(None, 1)) is True
    assert gone(said(pod(0, deleted=True))) is True
    assert gone(said(pod(4))) is False


def test_a_crash_counts_once_the_pod_runs_again() -> None:
    assert gone_or_crashed(said(pod(2)), before=1) is True
    assert gone_or_crashed(said(pod(2, ready=False)), before=1) is False
    assert gone_or_crashed(said(pod(1)), before=1) is False
    assert gone_or_crashed(said(None, 1), before=1) is True
