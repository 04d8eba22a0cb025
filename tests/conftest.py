"""What holds for every test: random input is the same in every run, unless HYPOTHESIS_PROFILE=explore asks for new.

Which cluster tests run on is said by options: ``--cluster`` where they take any, ``--lab`` for those that need the lab.
"""

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.lab.state import Lab

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure() -> None:
    """Let what tests start be interrupted: a job in a shell's background, as this may be, is told to ignore that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("clusters")
    group.addoption(
        "--cluster",
        choices=("sandbox", "lab", "kubeconfig"),
        default="sandbox",
        help="the cluster of tests that take any: sandbox (default), lab, or what KUBECONFIG names",
    )
    group.addoption("--lab", action="store_true", help="run the tests that need the lab, too (Linux, root)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--lab"):
        return
    skip = pytest.mark.skip(reason="needs the lab: make lab-test, or pytest --lab")
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def lab() -> Iterator["Lab"]:
    """The lab: the one that is up, or one for this session."""
    from tests.lab.lab import running_lab  # here, as only Linux can have a lab

    with running_lab(print) as running:
        yield running
