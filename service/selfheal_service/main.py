"""The command `selfheal-service`: serves by default, `check` asks a running one, `visit` keeps asking."""

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

from selfheal_service.command_line import NAME, Commands, fail

if TYPE_CHECKING:
    from selfheal_service.settings import Settings


@click.group(NAME, cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Serve the demo service; settings come from SELFHEAL_SERVICE_* variables."""
    if context.invoked_subcommand is None:
        serve()


@main.command("check")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("--timeout", "timeout_seconds", type=click.FloatRange(0.1, 600), default=10.0, help="Seconds per URL.")
def check_command(urls: tuple[str, ...], timeout_seconds: float) -> None:
    """Ask each URL until it answers 200; exit 1 if one does not in time."""
    from selfheal_service.check import check

    for url in urls:
        refuse_other_urls(url)
    results = [check(url, timeout_seconds) for url in urls]
    for result in results:
        verdict = "ok" if result.passed else "failed"
        click.echo(f"{verdict} {result.url}: {result.detail} (attempt {result.attempts})", err=not result.passed)
    sys.exit(0 if all(result.passed for result in results) else 1)


@main.command("visit")
@click.argument("url")
@click.option(
    "--per-second", type=click.FloatRange(0.01, 100), default=4.0, show_default=True, help="Visits per second."
)
def visit_command(url: str, per_second: float) -> None:
    """Ask a URL again and again until SIGTERM; print whenever its answer changes."""
    from threading import Event

    from selfheal_service.visit import visit

    refuse_other_urls(url)
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: stopped.set())
    tally = visit(url, per_second=per_second, stopped=stopped, tell=click.echo)
    click.echo(f"{tally.sent} visits, {tally.failed} failed")


def refuse_other_urls(url: str) -> None:
    """Refuse what is no HTTP address.

    Raises:
        click.BadParameter: It is none.
    """
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is no http:// or https:// URL", param_hint="URL")


def serve() -> None:
    """Serve until SIGTERM or SIGINT.

    Exits 0 after a drain, 1 when the address cannot be had, 2 when a setting is wrong.
    """
    # Process 1 of a container ignores signals that it does not handle: be stoppable from the first moment.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    from selfheal_service.settings import SettingsError, load

    try:
        _serve(load())
    except SettingsError as error:
        fail(str(error), exit_code=2)


def _serve(settings: "Settings") -> None:
    """Wire everything together and run it; what is imported here is what makes start-up slow."""
    import uvloop

    from selfheal_service.app import create_app
    from selfheal_service.logs import build_logger, forward_standard_logging
    from selfheal_service.server import DrainingServer, listen
    from selfheal_service.state import ServiceState
    from selfheal_service.tracing import from_environment

    tracing = from_environment(settings)
    log = build_logger(settings, tracing.identifiers)
    forward_standard_logging(log)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        address, reason = f"{settings.host}:{settings.port}", str(error.strerror).partition(" (while")[0]
        fail(f"cannot listen on {address}: {reason}; set SELFHEAL_SERVICE_HOST or SELFHEAL_SERVICE_PORT", exit_code=1)
    state = ServiceState()
    server = DrainingServer(create_app(settings, state=state, tracing=tracing, log=log), settings, state, log)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.run_on(listener))
    tracing.close()
