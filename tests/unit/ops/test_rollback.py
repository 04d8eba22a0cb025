"""Rollback, from preview to verified recovery, with a helm that only pretends."""

import asyncio
import time
from dataclasses import replace

import pytest

from selfheal_core.cluster.helm.client import Helm, HelmError
from selfheal_core.domain.known_good import KnownGood, ReleaseKey, config_map_body
from selfheal_core.domain.snapshot import AppKey, Application, ErrorRate
from selfheal_core.errors import BadUsage, SelfhealError
from selfheal_core.observe.error_rate import ScrapeTarget
from selfheal_core.observe.observer import Observer
from selfheal_core.observe.sources import Standing
from selfheal_core.ops.operation import Impact, Preview
from tests.unit.observe.live_cluster import (
    BAD,
    CONFIG_MAPS,
    GOOD,
    NAMESPACE,
    SECRETS,
    LiveCluster,
    release_secret,
)
from tests.unit.ops.conftest import APP, TARGET, Console, install, run, with_label

KEY = ReleaseKey(NAMESPACE, "app-a")


async def broken_release(cluster: LiveCluster, console: Console) -> Application:
    """Revision 1 was good; revision 2 crashes."""
    install(cluster, 1, GOOD)
    await console.until(lambda app: app.state == "healthy")
    record = KnownGood(1, True, 1_789_740_800.0, 1_790_000_000.0, "healerd", GOOD)
    cluster.create(CONFIG_MAPS, config_map_body(KEY, [record]))
    install(cluster, 2, BAD)
    return await console.until(
        lambda app: app.state == "crash loop" and len(app.revisions) == 2 and app.revisions[1].known_good is True
    )


async def test_previews_what_would_change_and_what_stays(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    preview = await console.operations().preview("rollback", TARGET)
    lines = dict(preview.lines)
    assert preview.refusal == ""
    assert (preview.impact, preview.confirm_word) == (Impact.ONE_APPLICATION, "app-a")
    assert preview.title == "Roll back app-a in payments on practice"
    assert preview.parameters == {"revision": "1", "track": "stable"}
    assert preview.same_as == "helm rollback app-a 1 -n payments --wait --timeout 5m"
    assert lines["from"].startswith("revision 2")
    assert lines["from"].endswith("never observed healthy")
    assert "revision 1  app:good" in lines["to"]
    assert lines["to"].endswith("known good, healthy for 3d")
    assert lines["changes"] == "Deployment app-a: image; Secret key: token"
    assert lines["dry run"] == "accepted by the server"
    assert "2 ready" in lines["now"]
    assert [(choice.value, choice.recommended) for choice in preview.choices["revision"]] == [("1", True)]
    assert console.helm.dry_runs == [1]


async def test_the_full_difference_hides_secret_values(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    preview = await console.operations().preview("rollback", TARGET)
    assert "image: app:bad" in preview.diff
    assert "<hidden " in preview.diff
    assert "secret-1" not in preview.diff
    assert "secret-2" not in preview.diff


async def test_rolls_back_and_says_recovered(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    operations = console.operations()
    preview = await operations.preview("rollback", TARGET)
    steps = await run(operations, preview, "paged: 38 % errors")
    assert console.helm.rollbacks == [1]
    assert [step.phase for step in steps][:3] == ["pending", "accepted", "running"]
    assert steps[-1].phase == "recovered"
    assert steps[-1].text.startswith("RECOVERED in ")
    assert steps[-1].text.endswith("2 of 2 ready on revision 3")
    assert console.steps()[:2] == ["intent", "confirmation"]
    assert console.journal()[-1].step == "verification"
    assert (await console.until(lambda app: app.state == "healthy")).revisions[0].number == 3


async def test_helms_refusal_is_the_result(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    console.helm.error = HelmError("release app-a: another operation is in progress")
    operations = console.operations()
    steps = await run(operations, await operations.preview("rollback", TARGET))
    assert (steps[-1].phase, steps[-1].text) == ("failed", "release app-a: another operation is in progress")
    assert steps[-1].next_step == "helm history app-a -n payments"
    assert console.journal()[-1].phase == "failed"


async def test_a_rollback_that_does_not_help_is_not_called_recovered(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    console.helm.image_of[1] = BAD
    operations = console.operations(verify_seconds=0.5)
    steps = await run(operations, await operations.preview("rollback", TARGET))
    assert steps[-1].phase == "not verified"
    assert "NOT VERIFIED after" in steps[-1].text
    assert "container app exits 1" in steps[-1].text
    assert "helm history app-a -n payments" in steps[-1].next_step


async def test_a_newer_revision_since_the_preview_refuses_it(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    operations = console.operations()
    preview = await operations.preview("rollback", TARGET)
    install(cluster, 3, BAD)
    await console.until(lambda app: len(app.revisions) == 3)
    steps = await run(operations, preview)
    assert steps[-1].phase == "refused"
    assert "newest revision was 2, is 3" in steps[-1].text
    assert console.helm.rollbacks == []


async def test_an_application_that_recovered_since_the_preview_is_asked_about_again(
    cluster: LiveCluster, console: Console
) -> None:
    await broken_release(cluster, console)
    operations = console.operations()
    preview = await operations.preview("rollback", TARGET)
    cluster.kubelet.bad_image = "none"
    for pod in cluster.pods():
        cluster.kubelet.report(pod, ready=True, containerStatuses=[READY_CONTAINER])
    await console.until(lambda app: app.severity == "ok")
    steps = await run(operations, preview)
    assert (steps[-1].phase, console.helm.rollbacks) == ("refused", [])
    assert "health was not healthy, is healthy" in steps[-1].text


READY_CONTAINER = {
    "name": "app",
    "image": BAD,
    "imageID": "",
    "ready": True,
    "restartCount": 0,
    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
}


@pytest.mark.parametrize(
    ("wish", "words"),
    [("one", "'one' is no revision number; possible: 1"), ("9", "has no revision 9; possible: 1")],
)
async def test_a_revision_that_does_not_exist_is_a_mistake_in_words(
    cluster: LiveCluster, console: Console, wish: str, words: str
) -> None:
    await broken_release(cluster, console)
    with pytest.raises(BadUsage) as caught:
        await console.operations().preview("rollback", TARGET, {"revision": wish})
    assert words in str(caught.value)


async def test_pending_and_failed_revisions_and_the_newest_are_refused(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    name = "sh.helm.release.v1.app-a.v1"
    operations = console.operations()
    newest = await operations.preview("rollback", TARGET, {"revision": "2"})
    assert newest.refusal == "revision 2 is the newest one already"
    cluster.create(SECRETS, release_secret("app-a", 3, "pending-upgrade"))
    await console.until(lambda app: len(app.revisions) == 3)
    cluster.change(SECRETS, name, lambda secret: with_label(secret, "status", "failed"))
    await console.until(lambda app: app.revisions[-1].status == "failed")
    failed = await operations.preview("rollback", TARGET, {"revision": "1"})
    assert failed.refusal == "revision 1 is failed: it was never carried out completely; possible: 2"


async def test_without_an_earlier_revision_there_is_no_way_back(cluster: LiveCluster, console: Console) -> None:
    install(cluster, 1, GOOD)
    await console.until(lambda app: len(app.revisions) == 1)
    preview = await console.operations().preview("rollback", TARGET)
    assert preview.refusal == "release app-a has no earlier revision that was carried out; the newest is 1"


async def test_what_helm_did_not_install_is_undone_by_hand(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy()
    await console.until(lambda app: app.state == "healthy")
    preview = await console.operations().preview("rollback", TARGET)
    assert preview.refusal.endswith("by hand: kubectl rollout undo deployment/app-a -n payments")


async def test_a_release_without_readable_history_says_so(cluster: LiveCluster, console: Console) -> None:
    cluster.deploy(release="app-a")
    await console.until(lambda app: app.state == "healthy")
    preview = await console.operations().preview("rollback", TARGET)
    assert preview.refusal.startswith("the history of release app-a is not known")
    assert preview.refusal.endswith("kubectl auth can-i list secrets -n payments")


async def test_helm_3_has_no_dry_run_and_that_is_said(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    console.helm.version = "3.17.1"
    preview = await console.operations().preview("rollback", TARGET)
    assert dict(preview.lines)["dry run"] == "not available with Helm 3"
    assert console.helm.dry_runs == []


async def test_without_helm_the_preview_says_what_is_missing(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)

    async def missing() -> Helm:
        raise SelfhealError("helm was not found", "install helm 3.17 or newer")

    operations = console.operations()
    world = replace(operations._world, helm=missing)
    operations._world = world
    preview = await operations.preview("rollback", TARGET)
    assert dict(preview.lines)["dry run"] == "refused: helm was not found"
    steps = await run(operations, preview)
    assert (steps[-1].phase, steps[-1].next_step) == ("failed", "install helm 3.17 or newer")


async def test_two_operations_on_one_release_exclude_each_other(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    console.helm.go_on.clear()
    operations = console.operations()
    preview = await operations.preview("rollback", TARGET)
    first = asyncio.create_task(run(operations, preview))
    await console.helm.started.wait()
    second = await run(operations, preview)
    assert second[-1].phase == "refused"
    assert "another operation on app-a is under way: oncall@bastion-1 (console, rollback, " in second[-1].text
    console.helm.go_on.set()
    assert (await first)[-1].phase == "recovered"
    assert console.helm.rollbacks == [1]


async def test_leaving_while_helm_works_stops_helm(cluster: LiveCluster, console: Console) -> None:
    await broken_release(cluster, console)
    console.helm.go_on.clear()
    operations = console.operations()
    preview = await operations.preview("rollback", TARGET)
    running = asyncio.create_task(run(operations, preview))
    await console.helm.started.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    console.helm.go_on.set()
    await asyncio.sleep(0)
    assert console.helm.newest == 2
    assert console.journal()[-1].phase == "cancelled"
    assert operations.running == ()


class ScriptedErrors:
    """Error rates that a test sets."""

    standing = Standing("own scrape")

    def __init__(self) -> None:
        self.ratio: float | None = 0.38
        self.window_seconds = 0.05

    async def close(self) -> None:
        return

    async def measure(self, targets: object, pods: object) -> dict[AppKey, ErrorRate]:
        assert isinstance(targets, list)
        assert all(isinstance(target, ScrapeTarget) for target in targets)
        return {APP: ErrorRate(self.ratio, 10.0, 0.1, self.window_seconds, time.time(), self.standing.origin)}


async def test_recovery_is_judged_by_errors_too(cluster: LiveCluster, console: Console) -> None:
    errors = ScriptedErrors()
    observer = Observer(cluster.client, error_rates=errors, scrape_interval_seconds=1.0)
    running = asyncio.create_task(observer.run())
    sighted = Console(cluster, observer, console.helm, console.journal_path)
    try:
        await broken_release(cluster, sighted)
        await sighted.until(lambda app: app.errors is not None)
        operations = sighted.operations()
        preview: Preview = await operations.preview("rollback", TARGET)
        assert "errors: 38%" in dict(preview.lines)["now"]
        steps = []
        async with asyncio.timeout(20):
            async for step in operations.run(preview):
                steps.append(step)
                if "waiting for a fresh error rate (it was 38%)" in step.text:
                    errors.ratio = 0.002
        assert any("waiting for a fresh error rate" in step.text for step in steps)
        assert steps[-1].phase == "recovered"
        assert "errors 38% -> 0.2% over 0s" in steps[-1].text
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
