"""The process: reads its configuration, connects, wires the parts together, runs until SIGTERM."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click
import structlog

from healerd.configuration import HOST_VARIABLE, Configuration, load, refuse_unknown_variables
from selfheal_core import __version__
from selfheal_core.command_line import Program
from selfheal_core.domain.escape import json_printable

log = structlog.get_logger()


def configure_logs() -> None:
    """JSON lines on standard output, as a cluster's log collector expects them; those of libraries too."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Without local variables: credentials are among them.
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
    ]
    renderer = structlog.processors.JSONRenderer(serializer=as_json)
    structlog.configure(
        processors=[*shared, renderer], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
    )
    handler = logging.StreamHandler(sys.stdout)
    only_event = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[only_event, renderer])
    )
    logging.getLogger().handlers = [handler]


def as_json(event: Any, **options: Any) -> str:
    """One record as JSON that a terminal can be shown."""
    return json_printable(json.dumps(event, **options))


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
