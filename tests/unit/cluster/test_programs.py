"""Programs that are started: contained, bounded, and gone when they have to be."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from selfheal_core.cluster.process import Finished, ProgramMissing, ProgramTimeout, run_program
from tests.processes import is_running

ENVIRON = {"PATH": os.environ["PATH"]}


async def sh(script: str, *arguments: str, deadline_seconds: float = 20, grace_seconds: float = 5) -> Finished:
    return await run_program(
        ["/bin/sh", "-c", script, "sh", *arguments],
        environ=ENVIRON,
        deadline_seconds=deadline_seconds,
        grace_seconds=grace_seconds,
    )


def read_pid(file: Path) -> int | None:
    text = file.read_text() if file.exists() else ""
    return int(text) if text.endswith("\n") else None


async def pid_in(file: Path) -> int:
    async with asyncio.timeout(5):
        while (pid := read_pid(file)) is None:
            await asyncio.sleep(0.005)
    return pid


async def assert_gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while is_running(pid):
            await asyncio.sleep(0.005)


async def test_gives_both_outputs_and_the_exit_code() -> None:
    finished = await sh("echo out; echo err >&2; exit 3")
    assert finished == Finished(3, b"out\n", b"err\n", False)


async def test_no_shell_reads_the_arguments() -> None:
    finished = await run_program(["/bin/echo", "$HOME; rm -rf /", "`id`"], environ=ENVIRON, deadline_seconds=5)
    assert finished.stdout == b"$HOME; rm -rf / `id`\n"


async def test_reads_what_it_is_given_and_nothing_else() -> None:
    finished = await run_program(["/bin/cat"], environ={}, deadline_seconds=5, stdin=b"values: 1\n" * 50_000)
    assert len(finished.stdout) == 500_000
    assert (await run_program(["/bin/cat"], environ={}, deadline_seconds=5)).stdout == b""


async def test_a_program_may_close_its_input() -> None:
    finished = await run_program(["/bin/true"], environ={}, deadline_seconds=5, stdin=b"x" * 10**6)
    assert finished.exit_code == 0


async def test_has_the_environment_that_it_is_given() -> None:
    finished = await run_program(["/usr/bin/env"], environ={"ONLY": "this"}, deadline_seconds=5)
    assert finished.stdout == b"ONLY=this\n"


async def test_hands_on_error_lines_as_they_come() -> None:
    lines: list[str] = []
    first = asyncio.Event()

    def take(line: str) -> None:
        lines.append(line)
        first.set()

    task = asyncio.create_task(
        run_program(
            ["/bin/sh", "-c", "echo one >&2; read go; printf 'two\\nhalf' >&2"],
            environ=ENVIRON,
            deadline_seconds=5,
            stdin=b"",
            on_error_line=take,
        )
    )
    async with asyncio.timeout(5):
        await first.wait()
    assert lines[0] == "one"
    await task
    assert lines == ["one", "two", "half"]


async def test_drops_output_beyond_the_limit_without_blocking_the_program() -> None:
    finished = await run_program(
        ["/bin/sh", "-c", "yes | head -c 3000000; exit 4"],
        environ=ENVIRON,
        deadline_seconds=20,
        output_limit_bytes=1000,
    )
    assert (finished.exit_code, len(finished.stdout), finished.truncated) == (4, 1000, True)


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program", "/etc/passwd"])
async def test_a_program_that_cannot_start_is_told(program: str) -> None:
    with pytest.raises(ProgramMissing, match=f"can't run {program}: "):
        await run_program([program], environ={}, deadline_seconds=5)


async def test_cancelling_stops_the_program_and_its_children(tmp_path: Path) -> None:
    child, grandchild = tmp_path / "child", tmp_path / "grandchild"
    task = asyncio.create_task(sh('echo $$ >"$1"; sleep 1000 & echo $! >"$2"; wait', str(child), str(grandchild)))
    pids = await pid_in(child), await pid_in(grandchild)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in pids:
        await assert_gone(pid)


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = 'trap "" TERM; echo $$ >"$1"; while :; do sleep 0.05; done'
    task = asyncio.create_task(sh(script, str(pid), grace_seconds=0.2))
    running = await pid_in(pid)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0.2 <= time.monotonic() - started < 3
    await assert_gone(running)


async def test_a_grandchild_that_ignores_sigterm_is_killed_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = '(trap "" TERM; sh -c \'echo $PPID\' >"$1"; while :; do sleep 0.05; done) & wait'
    task = asyncio.create_task(sh(script, str(pid), grace_seconds=0.2))
    running = await pid_in(pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_gone(running)


async def test_sigterm_gives_the_program_time_to_clean_up(tmp_path: Path) -> None:
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    script = 'trap \'echo done >"$2"; exit 0\' TERM; sleep 1000 & echo 1 >"$1"; wait'
    task = asyncio.create_task(sh(script, str(ready), str(cleaned)))
    await pid_in(ready)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned.read_text() == "done\n"


async def test_cancelling_twice_leaves_nothing_behind_either(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = 'trap "" TERM; echo $$ >"$1"; while :; do sleep 0.05; done'
    task = asyncio.create_task(sh(script, str(pid), grace_seconds=0.3))
    running = await pid_in(pid)
    task.cancel()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_gone(running)


async def test_cancelling_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """At each moment of a start, from before the fork to after the first output."""
    pids = tmp_path / "pids"
    pids.touch()
    for turns in range(12):
        task = asyncio.create_task(sh('echo $$ >>"$1"; sleep 1000 & echo $! >>"$1"; wait', str(pids)))
        for _ in range(turns):
            await asyncio.sleep(0.0005 * turns)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for pid in pids.read_text().split():
        await assert_gone(int(pid))


async def test_a_late_program_is_stopped_and_told(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(ProgramTimeout, match=r"^sh did not end within 0\.3 s$"):
        await sh('echo $$ >"$1"; sleep 1000', str(pid), deadline_seconds=0.3)
    await assert_gone(await pid_in(pid))


async def test_a_grandchild_that_holds_the_output_open_does_not_hold_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    finished = await sh('echo out; sleep 1000 & echo $! >"$1"; exit 0', str(pid))
    assert finished.stdout == b"out\n"
    assert time.monotonic() - started < 5
    await assert_gone(await pid_in(pid))
