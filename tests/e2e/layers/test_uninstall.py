"""The charts' own tests pass, and uninstalling leaves nothing. Runs last, by the name of its file."""

import pytest

from selfheal_cli.demo.steps import APP
from tests.e2e.layers.clusters import Cluster
from tests.e2e.layers.conftest import Demo
from tests.e2e.layers.inventory import inventory
from tests.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OF_OPERATORS = "/lease.coordination.k8s.io/selfheal-op-"
"""No chart's: the commands of people leave these, as docs/how-to/install-on-a-cluster.md says."""


def releases(cluster: Cluster) -> tuple[tuple[str, str], ...]:
    """Name and namespace of the two releases."""
    namespace, system = cluster.namespaces
    return (APP, namespace), ("healerd", system)


def test_both_charts_test_themselves(demo: Demo) -> None:
    stage = demo.cluster.stage
    for release, namespace in releases(demo.cluster):
        tested = stage.run("helm", "test", release, "-n", namespace, stage.timeout(60))
        assert "Phase:          Succeeded" in tested.stdout, tested.text


def test_nothing_is_left_of_either(demo: Demo) -> None:
    cluster = demo.cluster
    for release, namespace in releases(cluster):
        cluster.stage.run("helm", "uninstall", release, "-n", namespace)

    def left() -> set[str]:
        found = inventory(cluster.stage, cluster.namespaces) - demo.before
        return {name for name in found if OF_OPERATORS not in name}

    until(lambda: not left(), cluster.stage.profile.seconds(60), f"everything goes but {left()}")
