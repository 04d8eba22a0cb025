"""What the tests of the lab's own life share: a folder of a lab of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab import down
from tests.lab.leftovers import interface_owner
from tests.lab.state import LabFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabFolder]:
    """The folder of a lab of this test's own; whatever is left of the lab at the end is taken down."""
    if interface_owner():
        pytest.skip(f"the lab {interface_owner()!r} is up, and only one can be")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = LabFolder.of("life")
    yield found
    down(found, print)
