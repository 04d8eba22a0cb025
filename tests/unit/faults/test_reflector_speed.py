"""The reflector is several times cheaper than plain JSON of the same bytes: a ratio, which holds on any machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TIMES_FASTER = 3
"""Measured: 7 to 10 times."""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stream", "pages"])
def test_lists_and_events_cost_a_fraction_of_plain_json(way: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.faults.reflector_cost", way, str(tmp_path)]
    cpu_seconds = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=50).stdout)
    assert cpu_seconds["list"] * TIMES_FASTER <= cpu_seconds["json"]
    assert cpu_seconds["events"] * TIMES_FASTER <= cpu_seconds["json"]
