"""The rights that healerd needs: the same as its chart gives, and each missing one told in a sentence."""

import asyncio
from dataclasses import dataclass, field

import pytest
import yaml
from structlog.testing import capture_logs

from healerd.act import evict
from healerd.metrics import Metrics
from healerd.rights import GRANT, RIGHTS, Right, RightsCheck, sentence
from selfheal_core.cluster.kubernetes.api_errors import Forbidden, Unreachable
from selfheal_core.cluster.kubernetes.requests import Access
from selfheal_core.domain.heal import Evict
from selfheal_core.files import chart
from tests.unit.healerd.conftest import OWNER, Evictions


@dataclass
class Cluster:
    """Answers what the test says: which rights are missing, or that it does not answer."""

    missing: set[str] = field(default_factory=set)
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def may(self, access: Access, namespace: str, name: str = "") -> bool:
        self.asked.append(f"{access} in {namespace!r}")
        if self.error is not None:
            raise self.error
        return str(access) not in self.missing


def rights_of_the_chart() -> set[str]:
    text = (chart("healerd") / "templates" / "rbac.yaml").read_text()
    rules = text.partition("\nrules:\n")[2].partition("\n---\n")[0]
    return {
        f"{verb} {resource}{'.' + group if group else ''}"
        for rule in yaml.safe_load(rules)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_needs_exactly_what_its_chart_gives() -> None:
    assert {str(right.access) for right in RIGHTS} == rights_of_the_chart()


async def test_is_quiet_when_nothing_is_missing() -> None:
    cluster, metrics = Cluster(), Metrics()
    check = RightsCheck(cluster, metrics)

    with capture_logs() as logs:
        await check.look()

    assert (logs, check.sentences()) == ([], [])
    assert len(cluster.asked) == len(RIGHTS)
    assert metrics.registry.get_sample_value("healerd_missing_rights") == 0


async def test_an_unexpected_answer_ends_neither_the_check_nor_healerd() -> None:
    metrics = Metrics()
    running = asyncio.create_task(RightsCheck(Cluster(error=AttributeError("no status")), metrics).run())

    async with asyncio.timeout(2):
        while not metrics.registry.get_sample_value("healerd_errors_total") and not running.done():
            await asyncio.sleep(0.01)

    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: str(right.access))
async def test_a_missing_right_is_named_with_its_cost_and_who_grants_it(right: Right) -> None:
    check = RightsCheck(Cluster({str(right.access)}), metrics := Metrics())

    with capture_logs() as logs:
        await check.look()
        await check.look()

    assert [(line["log_level"], line["event"], line["why"]) for line in logs] == [
        ("warning", "right missing", sentence(right))
    ]
    assert check.sentences() == [sentence(right)]
    for part in (right.access.verb, right.access.resource, "in all namespaces", right.without, "cluster administrator"):
        assert part in sentence(right)
    assert metrics.registry.get_sample_value("healerd_missing_rights") == 1


async def test_a_right_that_comes_back_is_told_once() -> None:
    cluster = Cluster({"create events"})
    check = RightsCheck(cluster, Metrics())
    await check.look()
    cluster.missing.clear()

    with capture_logs() as logs:
        await check.look()
        await check.look()

    assert [(line["event"], line["right"]) for line in logs] == [("right granted", "create events")]
    assert check.missing == ()


async def test_no_answer_is_no_missing_right_and_is_told_once() -> None:
    check = RightsCheck(Cluster(error=Unreachable("no answer from the API server")), Metrics())

    with capture_logs() as logs:
        await check.look()
        await check.look()

    assert [line["event"] for line in logs] == ["rights unknown"]
    assert check.missing == ()


async def test_a_forbidden_eviction_says_who_can_grant_it() -> None:
    action = Evict("uid-web-1", "shop", "web-1", OWNER, "container app restarted 4 times", "app", 4)
    what = "not allowed to create pods/eviction in namespace shop"
    refused = Forbidden(what, verb="create", resource="pods/eviction", namespace="shop")

    outcome = await evict(Evictions({"web-1": refused}), action, dry_run=False)

    assert (outcome.result, outcome.message) == ("failed", f"{what}; {GRANT}")
