"""Both charts, installed as an earlier commit had them and upgraded to today's, with the values of then."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_cli.demo.stage import Stage
from selfheal_core.files import chart
from tests.e2e.layers.clusters import Cluster, removed
from tests.e2e.layers.inventory import inventory
from tests.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

EARLIER = "b3e043a"
"""The last commit before there were other clusters than the sandbox."""
REPOSITORY = Path(__file__).parents[3]


def git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, timeout=30, check=False)


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``chart`` of the earlier commit."""
    if git("cat-file", "-e", f"{EARLIER}^{{commit}}").returncode:
        pytest.skip(f"this clone does not reach back to commit {EARLIER}: git fetch --unshallow")
    folder = tmp_path_factory.mktemp("earlier")
    packed = git("archive", EARLIER, "chart")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, timeout=30, check=True)
    return folder / "chart"


@pytest.fixture
def elsewhere(cluster: Cluster) -> Iterator[Cluster]:
    """Two empty namespaces besides those of the demo."""
    other = cluster.elsewhere()
    with removed(other.stage):
        for namespace in other.namespaces:
            other.stage.run("kubectl", "create", "namespace", namespace)
        yield other


def bring(stage: Stage, verb: str, name: str, folder: Path, *values: str) -> None:
    """Install or upgrade a release called like its chart."""
    namespace = stage.namespace if name == "service" else stage.profile.healerd_namespace
    images = stage.profile.image_values(name)
    stage.run("helm", verb, name, str(folder), "-n", namespace, *values, *images, "--wait", stage.timeout(90))


@pytest.mark.parametrize("name", ["service", "healerd"])
def test_upgrades_from_the_earlier_chart_and_leaves_nothing_when_it_goes(
    elsewhere: Cluster, earlier: Path, name: str
) -> None:
    """With the values that Helm kept, and with a file that sets every value there was, as users keep one."""
    stage = elsewhere.stage
    before = inventory(stage, elsewhere.namespaces)
    of_then = ("--values", str(earlier / name / "values.yaml"))
    bring(stage, "install", name, earlier / name, *of_then)
    bring(stage, "upgrade", name, chart(name), "--reuse-values")
    bring(stage, "upgrade", name, chart(name), *of_then)

    namespace = stage.namespace if name == "service" else stage.profile.healerd_namespace
    tested = stage.run("helm", "test", name, "-n", namespace, stage.timeout(60))
    assert "Phase:          Succeeded" in tested.stdout, tested.text

    stage.run("helm", "uninstall", name, "-n", namespace)
    until(
        lambda: inventory(stage, elsewhere.namespaces) <= before,
        stage.profile.seconds(60),
        f"everything of {name} is gone",
    )
