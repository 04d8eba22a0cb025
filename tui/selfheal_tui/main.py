"""The command ``selfheal-tui``: the console, and its data as text.

Nothing heavy is imported before it is needed: Textual only when the screen opens, while the feed connects already.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfheal_cli import completion
from selfheal_core import __version__
from selfheal_core.command_line import Program
from selfheal_core.errors import BadUsage

if TYPE_CHECKING:
    from selfheal_cli.settings import Loaded


TEXT_FORMS = {(False, False): "", (False, True): "plain", (True, False): "json", (True, True): "json lines"}
"""The text form, by ``--json`` and ``--plain``."""


@click.command("selfheal-tui", cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sandbox", is_flag=True, help="Look at an embedded cluster on this machine; starts it if need be.")
@click.option(
    "--context", help="Context of the kubeconfig; the current one by default.", shell_complete=completion.contexts
)
@click.option(
    "-n", "--namespace", help="Namespace; the context's own by default.", shell_complete=completion.namespaces
)
@click.option("-A", "--all-namespaces", is_flag=True, default=None, help="All namespaces.")
@click.option("--read-only", is_flag=True, default=None, help="Refuse every change, whatever is pressed.")
@click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="File to use.")
@click.option("--prometheus", metavar="ADDRESS", help="URL, or namespace/service:port; looked for by default.")
@click.option(
    "--colour",
    "--color",
    type=click.Choice(["auto", "never", "16", "256", "truecolor"]),
    help="Colours to use; what the terminal can by default.",
)
@click.option("--once", is_flag=True, help="Print a table once, and end.")
@click.option("--plain", is_flag=True, help="Print sentences, then a line per change; with --once end after the first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and end; with --plain, lines.")
@click.option("--json-schema", is_flag=True, help="Print the JSON Schema of what --json prints, and end.")
@click.option("--print-config", is_flag=True, help="Print the settings in force, and where each comes from; and end.")
@click.version_option(__version__, prog_name="selfheal-tui")
def main(
    sandbox: bool, once: bool, plain: bool, as_json: bool, json_schema: bool, print_config: bool, **flags: Any
) -> None:
    """See what is broken, since when, what changed, what was done about it, and which key is the safe next step."""
    if json_schema:
        _print_schema()
        return
    if flags["namespace"] and flags["all_namespaces"]:
        raise BadUsage("-n and -A contradict each other", "give one of them")
    from selfheal_cli.settings import load_with_origins

    loaded = load_with_origins(**flags)
    settings = loaded.settings
    if print_config:
        _print_config(loaded)
        return
    text_form = TEXT_FORMS[as_json, plain] or ("once" if once else "")
    if not text_form:
        _check_terminal()
    if sandbox:
        from selfheal_tui.start import run_on_sandbox

        run_on_sandbox(settings, text_form, once=once)
    else:
        from selfheal_tui.start import run

        run(settings, text_form, once=once)


def _print_schema() -> None:
    import json

    from selfheal_cli.document_schema import document_schema

    click.echo(json.dumps(document_schema(), indent=2))


def _print_config(loaded: "Loaded") -> None:
    """Print a settings file that says what holds now.

    Raises:
        BadUsage: The keys contradict each other.
    """
    from selfheal_cli.settings import config_path
    from selfheal_cli.settings_text import settings_lines
    from selfheal_tui.commands import all_commands
    from selfheal_tui.keymap import keymap_lines, with_keymap

    path, keys = config_path(os.environ), loaded.settings.keys
    commands = with_keymap(all_commands(), keys, str(path))
    head = f"# Settings in force. As {path} they would hold in every call."
    click.echo("\n".join((head, "", *settings_lines(loaded), "", *keymap_lines(commands, keys))))


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
