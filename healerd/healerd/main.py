"""The process: reads its configuration, connects, wires the parts together, runs until SIGTERM."""

import asyncio
import logging
import os
import signal
import socket
import time
from pathlib import Path

import click
import structlog

from healerd.configuration import HOST_VARIABLE, Configuration, load, refuse_unknown_variables
from selfheal_core import __version__
from selfheal_core.command_line import Program

log = structlog.get_logger()


def configure_logs() -> None:
    """JSON lines on standard output, as a cluster's log collector expects them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


async def run(configuration: Configuration, kubeconfig: Path | None, context: str | None) -> None:
    """Heal until SIGTERM or SIGINT.

    Raises:
        SelfhealError: No cluster is configured, or the port is taken.
    """
    from healerd.service import Healerd

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with Healerd(configuration, kubeconfig, context, instance=socket.gethostname(), clock=time.time) as healerd:
        log.info("started", version=__version__, server=healerd.server, dry_run=configuration.dry_run)
        await healerd.until(stopped)
    log.info("stopped")


@click.command("healerd", cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML file, usually mounted.")
@click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="Instead of the service account.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option("--dry-run", is_flag=True, help="Record what would be done, do nothing.")
@click.version_option(__version__)
def main(config: Path | None, kubeconfig: Path | None, context: str | None, dry_run: bool) -> None:
    """Replace pods that keep restarting, as the configured policy allows.

    Runs in the cluster under its own service account; SELFHEAL_HEALERD_HOST overrides the address it listens on.
    """
    configure_logs()
    refuse_unknown_variables(os.environ)
    host = os.environ.get(HOST_VARIABLE)
    configuration = load(config, own_namespace=os.environ.get("POD_NAMESPACE", ""), host=host)
    if dry_run:
        configuration = configuration.with_dry_run()
    asyncio.run(run(configuration, kubeconfig, context))
