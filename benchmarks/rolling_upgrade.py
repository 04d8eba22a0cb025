"""A rolling upgrade of the service on the sandbox, under a steady load: what clients notice of it."""

import os
import sys
import time
from collections.abc import Callable

from benchmarks.report import Result, report
from selfheal_cli.demo.load import Load
from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.steps import NEW_TAG
from selfheal_cli.demo.story import sandbox
from selfheal_core.files import chart

RELEASE = "web"
SPEED = 20
PER_SECOND = 120.0
REQUESTS = 2_000
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 1.0
"""The load begins before the upgrade and outlasts it."""
GIVE_UP_SECONDS = 120.0
VALUES = ("--set", "minReadySeconds=1,autoscaling.enabled=false,replicas=2")


def helm(stage: Stage, verb: str, *flags: str) -> None:
    """Install or upgrade the release and wait until its pods are Ready."""
    place = (RELEASE, str(chart("service")), "-n", stage.namespace)
    stage.run("helm", verb, *place, *flags, "--wait", "--timeout", "90s")


def timed(act: Callable[[], None]) -> float:
    """How many seconds something takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def measure(stage: Stage) -> tuple[Load, float, float]:
    """Upgrade under load; gives the load, how long it ran, and how long the upgrade took."""
    helm(stage, "install", "--create-namespace", *VALUES)
    started = time.perf_counter()
    with Load(stage.service_url(RELEASE), requests_per_second=PER_SECOND) as load:
        time.sleep(BEFORE_SECONDS)
        upgrade = timed(lambda: helm(stage, "upgrade", "--reuse-values", "--set", f"image.tag={NEW_TAG}"))
        time.sleep(AFTER_SECONDS)
        while load.sent < REQUESTS and time.perf_counter() - started < GIVE_UP_SECONDS:
            time.sleep(0.1)
    return load, time.perf_counter() - started, upgrade


def main() -> None:
    """Measure one upgrade."""
    with sandbox(f"benchmark-upgrade-{os.getpid()}", speed=SPEED, quiet=True) as stage:
        load, seconds, upgrade = measure(stage)
    results = [
        Result("requests sent", load.sent, "requests", target=REQUESTS, more_is_better=True),
        Result("requests failed", load.failed, "requests", target=0),
        Result("requests per second", load.sent / seconds, "1/s", target=100, more_is_better=True),
        Result("rolling upgrade of 2 replicas", upgrade, "s"),
    ]
    report("rolling_upgrade", results)
    if load.failed:
        print(f"  first failure: {load.first_failure}", file=sys.stderr)
    sys.exit(not all(result.met for result in results))


if __name__ == "__main__":
    main()
