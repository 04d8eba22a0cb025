"""The main job as a script: a sandbox of its own, the demo in it, one step per layer, a table at the end."""

import os
import signal
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfheal_cli.demo.install import install
from selfheal_cli.demo.stage import NotObserved, Stage
from selfheal_cli.demo.steps import STEPS, Step
from selfheal_core.errors import BadUsage, SelfhealError

SPEED = 10
"""Divides back-off, the autoscaler's windows and resync in the sandbox; probes keep their own times."""
NOT_BUILT = frozenset({7})
LAYERS = {
    1: "liveness probe restarts",
    2: "readiness probe takes out of the Service",
    3: "healerd replaces",
    4: "bad release is rolled back (by hand)",
    5: "autoscaler 2 -> 5",
    6: "disruption budget holds a drain",
    7: "canary",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended.

    Attributes:
        failure: What was not observed; "" if the layer held.
        seconds: How long it took.
    """

    step: Step
    failure: str
    seconds: float

    @property
    def name(self) -> str:
        """The layer, in words."""
        return f"layer {self.step.layer}" if self.step.layer else "kills under load"


def program(name: str) -> str:
    """Path of one of our own commands: beside the interpreter that runs, else whatever PATH has."""
    beside = Path(sysconfig.get_path("scripts")) / name
    return str(beside) if beside.exists() else name


def programs() -> dict[str, str]:
    """Where the tools are: ours beside the interpreter; helm and kubectl as the sandbox's tool command finds them."""
    found = {name: program(name) for name in ("selfheal", "selfheal-sandbox")}
    stage = Stage(Path(os.devnull), programs={"python": sys.executable}, quiet=True)
    for line in stage.run("python", "-m", "selfheal_sandbox.tools").stdout.splitlines():
        name, _, path = line.partition("=")
        if path:
            found[name] = path
    return found


def sandbox_kubeconfig(found: Mapping[str, str], name: str = "default") -> Path:
    """The file that names a running sandbox.

    Raises:
        NotObserved: It does not run; the text says how to start it.
    """
    stage = Stage(Path(os.devnull), programs=found, quiet=True)
    return Path(stage.run("selfheal-sandbox", "kubeconfig", "--name", name).stdout.strip())


@contextmanager
def sandbox(name: str, *, speed: float, quiet: bool = False) -> Iterator[Stage]:
    """A sandbox for the time of the block; it is taken down at the end whatever happens."""
    stage = Stage(Path(os.devnull), programs=programs(), sandbox=name, quiet=quiet)
    with ended_by_signals():
        try:
            stage.show("selfheal-sandbox", "up", "--detach", "--name", name, "--speed", f"{speed:g}")
            stage.kubeconfig = sandbox_kubeconfig(stage.programs, name)
            yield stage
        finally:
            stage.show("selfheal-sandbox", "down", "--name", name, "--forget", check=False)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and a hung-up terminal end the block as Ctrl-C does, so that what it started is taken down."""
    ctrl_c = signal.default_int_handler
    before = {number: signal.signal(number, ctrl_c) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def play(stage: Stage, step: Step) -> Outcome:
    """Play one step and say how it went."""
    heading = f"layer {step.layer}: {step.title}" if step.layer else step.title
    stage.say(f"\n== {heading}", colour="bright_white")
    started = time.monotonic()
    try:
        step.play(stage)
        failure = ""
    except NotObserved as error:
        failure = str(error)
    seconds = time.monotonic() - started
    stage.say(
        f"  {'FAILED: ' + failure if failure else 'held'} ({seconds:.1f} s)", colour="red" if failure else "green"
    )
    return Outcome(step, failure, seconds)


def table(outcomes: list[Outcome]) -> str:
    """The seven layers, one row each."""
    by_layer = {outcome.step.layer: outcome for outcome in outcomes if outcome.step.layer}
    rows = ["  #  LAYER                                     RESULT"]
    for number in range(1, 8):
        outcome = by_layer.get(number)
        rows.append(f"  {number}  {LAYERS[number]:<41} {_result(number, outcome)}")
    return "\n".join(rows)


def _result(layer: int, outcome: Outcome | None) -> str:
    if outcome is None:
        return "not in this version" if layer in NOT_BUILT else "not played"
    return f"FAILED: {outcome.failure}" if outcome.failure else f"held in {outcome.seconds:.1f} s"


def chosen(layers: Sequence[int]) -> list[Step]:
    """The steps of some layers; all steps if none is named.

    Raises:
        BadUsage: A layer has no step.
    """
    known = {step.layer for step in STEPS if step.layer}
    unknown = [layer for layer in layers if layer not in known]
    if unknown:
        why = "is not in this version" if unknown[0] in NOT_BUILT else "does not exist"
        raise BadUsage(f"layer {unknown[0]} {why}", f"known: {', '.join(map(str, sorted(known)))}")
    return [step for step in STEPS if not layers or step.layer in layers]


def tell(*, speed: float = SPEED, healerd_replicas: int = 1, layers: Sequence[int] = ()) -> None:
    """Play the story on a sandbox of its own.

    Args:
        speed: Of the sandbox.
        healerd_replicas: 0 shows what happens without healerd.
        layers: Play only these; empty plays the whole.

    Raises:
        SelfhealError: A layer did not hold; the message names it.
    """
    steps = chosen(layers)
    started = time.monotonic()
    with sandbox(f"demo-{os.getpid()}", speed=speed) as stage:
        stage.say(f"time: back-off and the autoscaler run {speed:g} times as fast as on a cluster; probes do not")
        stage.say("\n== the cluster and the demo", colour="bright_white")
        stage.show("kubectl", "get", "nodes")
        install(stage, healerd_replicas=healerd_replicas)
        stage.show("helm", "list", "-A")
        stage.show("kubectl", "get", "pods", "-A")
        stage.show("curl", "-sS", "-m", "5", stage.service_url("app-a") + "/")
        outcomes = [play(stage, step) for step in steps]
    print_summary(stage, outcomes, time.monotonic() - started)


def print_summary(stage: Stage, outcomes: list[Outcome], seconds: float) -> None:
    """Print the table.

    Raises:
        SelfhealError: Something did not hold.
    """
    stage.say("\n" + table(outcomes))
    stage.say(f"\n{seconds:.0f} s in all")
    sys.stdout.flush()
    failed = [outcome for outcome in outcomes if outcome.failure]
    if failed:
        raise SelfhealError("; ".join(f"{outcome.name} did not hold: {outcome.failure}" for outcome in failed))
