"""Where the console's own log goes: a file, because the screen belongs to the data."""

import logging
import os
from collections.abc import Mapping
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import cast

from selfheal_core.folders import state_folder
from selfheal_core.log_lines import OneLine

LIMIT_BYTES = 1_000_000


class PrivateLog(RotatingFileHandler):
    """A bounded log that only its user may read, after a rotation too."""

    def _open(self) -> TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return cast(TextIOWrapper, open(self.baseFilename, self.mode, encoding="utf-8", opener=private))


def log_path(environ: Mapping[str, str]) -> Path:
    """``console.log`` in the folder of what is kept between runs."""
    return state_folder(environ) / "console.log"


def log_to_file(environ: Mapping[str, str]) -> None:
    """Send warnings and errors to the file; where it can't be written they are dropped, never drawn."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.handlers.clear()
    path = log_path(environ)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler: logging.Handler = PrivateLog(path, maxBytes=LIMIT_BYTES, backupCount=1)
        os.chmod(path, 0o600)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)
