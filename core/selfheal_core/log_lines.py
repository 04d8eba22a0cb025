"""Log records as single lines that a terminal can be shown: what a cluster said stands in them."""

import logging

from selfheal_core.domain.escape import printable


class OneLine(logging.Formatter):
    """Formats a record, its traceback included, as one line without anything that a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; a line break reads ``\u240a``."""
        return printable(super().format(record))


def escape_unclaimed_logs() -> None:
    """Do the same for records that no handler takes: Python writes them to standard error."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLine())
