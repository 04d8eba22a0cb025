import os
import subprocess
import sys

import pytest

from selfheal_sandbox.kubelet.usage import (
    PAGE_BYTES,
    TICKS_PER_SECOND,
    ProcessSample,
    UsageMeter,
    family,
    parse_stat,
    read_processes,
)


def process(pid: int, parent: int = 1, session: int = 0, ticks: int = 0, pages: int = 0) -> ProcessSample:
    return ProcessSample(pid, parent, session or pid, ticks, pages)


def table(*samples: ProcessSample) -> dict[int, ProcessSample]:
    return {sample.pid: sample for sample in samples}


def test_reads_a_line_whose_name_holds_brackets_and_spaces() -> None:
    line = "42 (a) b (c) S 7 42 43 0 -1 0 0 0 0 0 11 12 13 14 20 0 1 0 100 4096 55 0 0"

    assert parse_stat(line) == ProcessSample(pid=42, parent=7, session=43, cpu_ticks=50, resident_pages=55)


def test_a_family_is_the_leaders_their_sessions_and_their_descendants() -> None:
    processes = table(
        process(10),
        process(11, parent=10, session=10),
        process(12, parent=1, session=10),  # its parent ended
        process(13, parent=11, session=13),  # made a session of its own
        process(14, parent=13, session=13),
        process(20),
        process(21, parent=20, session=20),
    )

    assert [member.pid for member in family(processes, frozenset({10}))] == [10, 11, 12, 13, 14]


def test_usage_is_the_rate_over_the_window_and_the_memory_now() -> None:
    meter, leaders = UsageMeter(), {"c": frozenset({10})}
    for second, ticks in enumerate([0, 10, 40, 90]):
        meter.sample(leaders, table(process(10, ticks=ticks * TICKS_PER_SECOND // 100, pages=5 + second)), second)

    assert meter.usage("c") == (400, 8 * PAGE_BYTES)  # 0.8 s of CPU in the last 2 s


def test_usage_is_unknown_before_the_second_reading_and_after_the_end() -> None:
    meter, leaders = UsageMeter(), {"c": frozenset({10})}
    meter.sample(leaders, table(process(10)), 0)
    assert meter.usage("c") is None

    meter.sample(leaders, table(process(10)), 1)
    assert meter.usage("c") == (0, 0)

    meter.sample({}, {}, 2)
    assert meter.usage("c") is None


def test_a_process_that_ended_never_makes_usage_negative() -> None:
    meter, leaders = UsageMeter(), {"c": frozenset({10})}
    meter.sample(leaders, table(process(10, ticks=1), process(11, parent=10, session=10, ticks=500)), 0)
    meter.sample(leaders, table(process(10, ticks=2)), 1)

    assert meter.usage("c") == (0, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")
def test_real_processes_are_found() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE, start_new_session=True) as child:
        found = read_processes()
        child.communicate(b"\n", timeout=5)

    assert found[child.pid].parent == os.getpid()
    assert found[child.pid].session == child.pid
    assert found[os.getpid()].resident_pages > 0
