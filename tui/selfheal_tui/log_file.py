"""Where the console's own log goes: a file, because the screen belongs to the data."""

import logging
import os
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

from selfheal_core.folders import state_folder

LIMIT_BYTES = 1_000_000


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
        path.touch(mode=0o600)
        handler: logging.Handler = RotatingFileHandler(path, maxBytes=LIMIT_BYTES, backupCount=1, delay=True)
        os.chmod(path, 0o600)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)
