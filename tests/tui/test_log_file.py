"""The console's own log: bounded, and private before and after it is rotated."""

import logging
from pathlib import Path

from selfheal_tui.log_file import PrivateLog


def test_only_its_user_may_read_it_after_a_rotation_too(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    handler = PrivateLog(path, maxBytes=200, backupCount=1)
    for number in range(10):
        handler.handle(logging.LogRecord("x", logging.WARNING, "", 0, f"{number} {'words ' * 10}", None, None))
    handler.close()

    found = {entry.name: entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir()}
    assert found == {"console.log": 0o600, "console.log.1": 0o600}
