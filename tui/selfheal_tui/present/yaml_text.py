"""An object as YAML."""

from collections.abc import Mapping
from typing import Any

import yaml

from selfheal_core.domain.escape import printable
from selfheal_tui.present.spans import Line, Span, line


def yaml_lines(raw: Mapping[str, Any]) -> list[Line]:
    """An object as kubectl would print it, without the bookkeeping of field managers."""
    metadata = {key: value for key, value in raw.get("metadata", {}).items() if key != "managedFields"}
    text = yaml.safe_dump({**raw, "metadata": metadata}, sort_keys=False, allow_unicode=True, width=10_000)
    return [_coloured(printable(row)) for row in text.splitlines()]


def _coloured(row: str) -> Line:
    head, colon, value = row.partition(": ")
    if colon:
        return line(Span(head + colon, "info"), value)
    return line(Span(row, "info" if row.endswith(":") else "plain"))
