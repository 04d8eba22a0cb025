"""How the command ends when it is called wrongly: one line that says what is wrong and what to type, and exit code 2.

The project's other programs share a module for this; the service stands alone and imports none of them.
"""

import difflib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import click

NAME = "selfheal-service"
INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell reports it."""


class Commands(click.Group):
    """A group of commands whose usage errors are one line each."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run; whatever is wrong ends the process."""
        run: Callable[[], Any] = partial(
            super().main, *arguments, **{**options, "prog_name": NAME, "standalone_mode": False}
        )
        try:
            exit_code = run()
        except click.exceptions.Abort:
            fail("interrupted", INTERRUPTED)
        except click.ClickException as error:
            fail(usage_line(error), error.exit_code)
        if isinstance(exit_code, int) and exit_code:
            sys.exit(exit_code)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        name = args[0]
        unknown = not name.startswith("-") and self.get_command(ctx, name) is None
        if unknown and not ctx.resilient_parsing:
            raise click.UsageError(f"unknown command '{name}'; {did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def fail(text: str, exit_code: int) -> NoReturn:
    """End the process with one line on standard error."""
    click.echo(f"{NAME}: {' '.join(text.split())}", err=True)
    sys.exit(exit_code)


def did_you_mean(word: str, known: list[str]) -> str:
    """Word the hint for an unknown name: the nearest known one, else all of them."""
    nearest = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{nearest[0]}'?" if nearest else f"known: {', '.join(known)}"


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
