"""The real console on a real terminal, on the scripted server instead of a cluster."""

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from benchmarks.terminal import Terminal
from tests.faults.process import ServerProcess

CONSOLE = str(Path(sysconfig.get_path("scripts")) / "selfheal-tui")
FORGOTTEN = ("NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "TMUX", "STY")
"""What the terminal of whoever runs the tests would say of itself."""


def surroundings(server: ServerProcess, folder: Path, **environ: str) -> Mapping[str, str]:
    """An environment with a kubeconfig for the server, and folders of its own."""
    kubeconfig = server.kubeconfig(folder)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in FORGOTTEN and not name.startswith(("SELFHEAL_", "XDG_"))
    }
    homes = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return {**kept, **homes, "KUBECONFIG": str(kubeconfig), "TERM": "xterm-256color", "LANG": "C.UTF-8", **environ}


def open_console(environ: Mapping[str, str], columns: int = 100, lines: int = 40) -> Terminal:
    """The console with its first rows on the screen."""
    terminal = Terminal([CONSOLE], environ, columns, lines)
    try:
        terminal.wait_for(lambda screen: "app-000" in screen and "connecting" not in screen, 30.0)
    except TimeoutError:
        terminal.close()
        raise
    return terminal


def rows(screen: str) -> list[str]:
    """Heading and table: neither the line that tells the age of the data, nor the detail of the selected row below."""
    return screen.splitlines()[1:20]
