"""Each layer on a cluster, by the story's own steps and in its order: the sandbox, the lab, or a cluster of yours."""

from collections.abc import Callable

import pytest

from selfheal_cli.demo.steps import STEPS, Step
from selfheal_cli.demo.story import play
from tests.e2e.layers.conftest import SEEN, Demo
from tests.e2e.layers.times import CACHE, remember

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def name(step: Step) -> str:
    return f"layer-{step.layer}" if step.layer else "kills-under-load"


@pytest.mark.parametrize("step", STEPS, ids=name)
def test_the_layer_holds(demo: Demo, step: Step, record_property: Callable[[str, object], None]) -> None:
    cluster = demo.cluster
    if why := cluster.missing_for(step.layer):
        pytest.skip(why)

    outcome = play(cluster.stage, step)

    assert outcome.failure == ""
    record_property(SEEN, name(step))
    remember(CACHE, cluster.name, outcome.name, outcome.seconds)
