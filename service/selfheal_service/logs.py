"""JSON logs, one object a line, on standard output."""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from selfheal_service.settings import LogLevel, Settings

_LEVELS: Mapping[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def build_logger(
    settings: Settings, trace_identifiers: Callable[[], Mapping[str, str]], stream: TextIO = sys.stdout
) -> FilteringBoundLogger:
    """Make the logger of one application.

    Args:
        settings: Name, version and level.
        trace_identifiers: `trace_id` and `span_id` of the current span; empty outside one.
        stream: Where lines go.

    Returns:
        A logger whose lines carry time, level, service, version and the identifiers of the current span.
    """

    def add_trace_identifiers(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.update(trace_identifiers())
        return event

    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            add_trace_identifiers,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        service=settings.name,
        version=settings.version,
    )
    return logger


class _Forwarder(logging.Handler):
    """Sends records of the standard library's loggers, libraries' among them, through the JSON logger."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def forward_standard_logging(logger: FilteringBoundLogger) -> None:
    """Make every warning of a library a JSON line too; call it once per process."""
    logging.basicConfig(handlers=[_Forwarder(logger)], level=logging.WARNING, force=True)
