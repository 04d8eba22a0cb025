"""The cluster that the layers are shown on (``--cluster``), the demo on it, and the table of times at the end."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_cli.demo.install import install
from tests.e2e.layers.clusters import Cluster, on_kubeconfig, on_lab, on_sandbox
from tests.e2e.layers.inventory import inventory
from tests.e2e.layers.times import CACHE, table

SEEN = "what was seen"


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tools: Mapping[str, Path]
) -> Iterator[Cluster]:
    """The cluster that ``--cluster`` names, with two namespaces of this run."""
    name = request.config.getoption("--cluster")
    home = tmp_path_factory.mktemp("layers")
    if name == "sandbox":
        opened = on_sandbox(home, tools)
    elif name == "lab":
        opened = on_lab(home, request.getfixturevalue("lab"))
    else:
        opened = on_kubeconfig(home, os.environ)
    with opened as running:
        yield running


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo on a cluster.

    Attributes:
        cluster: Where it is.
        before: What the cluster held before it was installed.
    """

    cluster: Cluster
    before: frozenset[str]


@pytest.fixture(scope="session")
def demo(cluster: Cluster) -> Demo:
    """Both charts, installed; healerd runs from its image, under its own service account."""
    stage = cluster.stage
    for namespace in cluster.namespaces:
        stage.run("kubectl", "create", "namespace", namespace)
    before = inventory(stage, cluster.namespaces)
    install(stage)
    return Demo(cluster, frozenset(before))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the times of every cluster side by side, and on a real cluster what was seen of each layer."""
    passed = [report for report in terminalreporter.getreports("passed") if _is_of_a_layer(report)]
    if config.getoption("--cluster") != "sandbox":
        for report in passed:
            terminalreporter.write_sep("-", report.nodeid.rpartition("::")[2])
            terminalreporter.write_line(report.capstdout)
    if passed:
        terminalreporter.section("layers")
        for line in table(CACHE):
            terminalreporter.write_line(line)


def _is_of_a_layer(report: pytest.TestReport) -> bool:
    return report.when == "call" and SEEN in dict(report.user_properties)
