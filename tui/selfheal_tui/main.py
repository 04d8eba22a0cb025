"""The command ``selfheal-tui``: the console, and its data as text.

Nothing heavy is imported before it is needed: Textual only when the screen opens, while the feed connects already.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click

from selfheal_core import __version__
from selfheal_core.command_line import Program
from selfheal_core.errors import BadUsage


@click.command("selfheal-tui", cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sandbox", is_flag=True, help="Look at an embedded cluster on this machine; starts it if need be.")
@click.option("--context", help="Context of the kubeconfig; the current one by default.")
@click.option("-n", "--namespace", help="Namespace; the context's own by default.")
@click.option("-A", "--all-namespaces", is_flag=True, default=None, help="All namespaces.")
@click.option("--read-only", is_flag=True, default=None, help="Refuse every change, whatever is pressed.")
@click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="File to use.")
@click.option("--once", is_flag=True, help="Print a table once, and end.")
@click.option("--plain", is_flag=True, help="Print sentences, then a line per change; with --once end after the first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and end.")
@click.version_option(__version__, prog_name="selfheal-tui")
def main(sandbox: bool, once: bool, plain: bool, as_json: bool, **flags: Any) -> None:
    """See what is broken, since when, what changed, what was done about it, and which key is the safe next step."""
    if flags["namespace"] and flags["all_namespaces"]:
        raise BadUsage("-n and -A contradict each other", "give one of them")
    from selfheal_cli.settings import load_settings

    settings = load_settings(**flags)
    text_form = "json" if as_json else "plain" if plain else "once" if once else ""
    if not text_form:
        _check_terminal()
    if sandbox:
        from selfheal_tui.start import run_on_sandbox

        run_on_sandbox(settings, text_form, once=once)
    else:
        from selfheal_tui.start import run

        run(settings, text_form, once=once)


def _check_terminal() -> None:
    """Refuse terminals that can't show a screen, and say what works there.

    Raises:
        BadUsage: It is a pipe, or too dumb.
    """
    instead = "use --once, --plain or --json"
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise BadUsage("the console needs a terminal", instead)
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        raise BadUsage(f"this terminal can't show the console (TERM={os.environ.get('TERM', '')})", instead)


if __name__ == "__main__":
    main()
