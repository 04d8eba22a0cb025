"""How our commands end: one line on standard error says what is wrong and what to type, and an exit code says it too.

For click: ``@click.command("healerd", cls=Program)``, ``@click.group("selfheal", cls=ProgramGroup)``. The name given
there is how the program calls itself.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from selfheal_core.domain.escape import printable
from selfheal_core.errors import BadUsage, SelfhealError, did_you_mean
from selfheal_core.log_lines import escape_unclaimed_logs

INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell reports it."""


class Program(click.Command):
    """A command that ends with one line and an exit code, whatever is wrong."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run; whatever is wrong ends the process."""
        name = called_as(self.name or "", sys.argv[0])
        guarded(name, partial(super().main, *arguments, **{**options, "prog_name": name, "standalone_mode": False}))


class ProgramGroup(Program, click.Group):
    """The same for a command that has commands; groups below it inherit this."""

    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help to whoever names no command."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(BadUsage.exit_code)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command.

        Raises:
            BadUsage: There is none of that name; the text names the nearest.
        """
        name = args[0]
        unknown = not name.startswith("-") and self.get_command(ctx, name) is None
        if unknown and not ctx.resilient_parsing:
            raise BadUsage(f"unknown command '{name}'", did_you_mean(name, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


def called_as(name: str, path: str) -> str:
    """How a program was called: its name, or ``kubectl NAME`` where kubectl ran it as its plug-in.

    Args:
        name: How the program calls itself.
        path: The file that was run.
    """
    plugin = Path(path).name.partition("kubectl-")
    return f"kubectl {plugin[2].replace('_', '-')}" if plugin[1] and not plugin[0] else name


def guarded(name: str, run: Callable[[], Any]) -> None:
    """Run a program; an error that is meant for people becomes one line and ends the process.

    Args:
        name: How the program calls itself.
        run: The program; a number that it returns is its exit code.
    """
    escape_unclaimed_logs()
    try:
        exit_code = run()
    except click.exceptions.Abort:
        fail(name, "interrupted", INTERRUPTED)
    except click.ClickException as error:
        fail(name, usage_line(error), error.exit_code)
    except SelfhealError as error:
        fail(name, str(error), error.exit_code)
    except OSError as error:
        # A full disk, a folder that may not be entered: the surroundings are wrong, not the program.
        fail(name, surroundings_line(error), SelfhealError.exit_code)
    if isinstance(exit_code, int) and exit_code:
        sys.exit(exit_code)


def fail(name: str, text: str, exit_code: int) -> NoReturn:
    """End the process with one line on standard error; text from elsewhere can't break it or command the terminal."""
    click.echo(f"{name}: {printable(' '.join(text.split()))}", err=True)
    sys.exit(exit_code)


def surroundings_line(error: OSError) -> str:
    """Word what the system refused."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; check the path, its rights and the space on its disk"


def usage_line(error: click.ClickException) -> str:
    """Word what click refused, and what to type instead."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        what, nearest = f"unknown option '{error.option_name}'", list(error.possibilities or ())
        if nearest:
            return f"{what}; {did_you_mean(error.option_name, nearest)}"
    else:
        message = error.format_message().rstrip(".")
        what = f"{message[:1].lower()}{message[1:]}"
    return f"{what}; see: {context.command_path} --help" if context else what
