"""``B`` in the sandbox: whatever is broken from its menu is healed by the layer that the menu names."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from selfheal_cli.demo.install import install
from selfheal_cli.demo.stage import Stage
from selfheal_cli.session import Session, first_data, open_session
from selfheal_core.ops.faults import BAD_RELEASE, CPU_PEAK, CRASH, CRASH_LOOP, DRAIN, UNREADY, Fault
from selfheal_core.ops.operation import Progress, Target
from tests.e2e.console.test_rollback_by_keys import CONSOLE, leave, press, see
from tests.e2e.sandbox_process import SandboxProcess, start_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

SPEED = 20
TARGET = Target("application", "demo", "app-a", "app-a")
HEALED = {
    UNREADY: "gets requests again",
    CRASH_LOOP: "is gone and",
    DRAIN: "is drained and open again",
    CPU_PEAK: "5 of 5 ready",
}
"""What the last step says, by fault."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, tools: Mapping[str, Path]) -> Iterator[SandboxProcess]:
    """A sandbox of its own, because nodes are drained in it, with the demo on it."""
    home = tmp_path_factory.mktemp("break")
    with start_sandbox(home, tools, name="break", speed=SPEED) as running:
        programs = {name: str(path) for name, path in tools.items()}
        install(Stage(running.kubeconfig, programs=programs, sandbox="break", quiet=True))
        yield running


@pytest.fixture
def environ(demo: SandboxProcess, tools: Mapping[str, Path], tmp_path: Path) -> Mapping[str, str]:
    """Helm on the path, and a journal of its own."""
    path = f"{tools['helm'].parent}:{demo.environment['PATH']}"
    own = {"PATH": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": str(tmp_path / "state")}
    return {**demo.environment, **own}


@asynccontextmanager
async def operator(demo: SandboxProcess, environ: Mapping[str, str]) -> AsyncIterator[Session]:
    """The executor that the console uses, on an application that is well."""
    opened = open_session(
        kubeconfig=demo.kubeconfig,
        context=None,
        namespaces=("demo",),
        source="console",
        verify_seconds=100,
        environ=environ,
    )
    async with opened as session:
        await first_data(session)
        await session.observer.wait_for(lambda shot: is_well(session), 60)
        yield session


def is_well(session: Session) -> bool:
    """Whether the application is healthy and nothing of it is on its way."""
    snapshot = session.observer.snapshot()
    app = next((app for app in snapshot.applications.values() if app.key.name == "app-a"), None)
    return app is not None and app.state == "healthy" and len(app.pods) == app.desired


async def broken(session: Session, fault: Fault) -> list[Progress]:
    """Break it, and follow it until it is healed."""
    preview = await session.operations.preview("break", TARGET, {"fault": fault.name})
    assert (preview.refusal, preview.confirmation) == ("", "letter")
    assert dict(preview.lines)["heals"].startswith(f"layer {fault.layer}: ")
    return [step async for step in session.operations.run(preview)]


def test_a_crash_by_keys_is_healed_before_the_operators_eyes(demo: SandboxProcess, environ: Mapping[str, str]) -> None:
    command = [CONSOLE, "--kubeconfig", str(demo.kubeconfig), "-n", "demo"]
    with Terminal(command, environ, 80, 24) as console:
        console.wait_for(lambda screen: "app-a" in screen and "healthy" in screen, 60)
        press(console, "B", *(f"layer {layer}:" for layer in range(1, 7)))
        console.send(CRASH.title)
        press(console, "\r", "Heals", "layer 1", "y break something")
        press(console, "y", "RECOVERED in")
        see(console, "1 restart since")
        leave(console, "\r", "RECOVERED in")
        press(console, "@", "[8 Journal]", "break", "recovered")


async def test_a_bad_release_is_healed_by_the_rollback_that_it_leaves_to_the_operator(
    demo: SandboxProcess, environ: Mapping[str, str]
) -> None:
    async with operator(demo, environ) as session:
        breaking = asyncio.create_task(broken(session, BAD_RELEASE))
        await session.observer.wait_for(
            lambda shot: any(
                app.state == "image error" and app.revisions[0].status == "deployed"
                for app in shot.applications.values()
            ),
            60,
        )
        preview = await session.operations.preview("rollback", TARGET)
        rolled = [step async for step in session.operations.run(preview)]
        steps = await breaking
    assert rolled[-1].phase == "recovered", rolled
    assert steps[-1].phase == "recovered", steps


@pytest.mark.parametrize("fault", HEALED, ids=lambda fault: fault.name)
async def test_each_fault_is_healed_by_its_layer(
    demo: SandboxProcess, environ: Mapping[str, str], fault: Fault
) -> None:
    async with operator(demo, environ) as session:
        steps = await broken(session, fault)
    assert steps[-1].phase == "recovered", steps
    assert HEALED[fault] in steps[-1].text
