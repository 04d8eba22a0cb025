"""Amounts of resources in whole units, and values that are a number or a percentage."""

from math import ceil
from typing import Any

from selfheal_sandbox.kinds.quantity import parse_quantity


def millicores(value: str | float) -> int:
    """Return a CPU quantity in thousandths of a core, rounded up as Kubernetes rounds.

    Raises:
        ValueError: it is not a quantity.
    """
    return ceil(parse_quantity(value) * 1000)


def whole(value: str | float) -> int:
    """Return a quantity in its plain unit (bytes, pods), rounded up as Kubernetes rounds.

    Raises:
        ValueError: it is not a quantity.
    """
    return ceil(parse_quantity(value))


def resolve(value: Any, total: int, *, round_up: bool) -> int:
    """Return an int-or-percent such as ``1`` or ``"25%"`` as a number, a percentage being of ``total``.

    Raises:
        ValueError: the value is neither a number nor a percentage.
    """
    if isinstance(value, int):
        return value
    text = str(value)
    if not text.endswith("%"):
        raise ValueError(f"neither a number nor a percentage: {text!r}")
    hundredths = int(text[:-1]) * total
    return -(-hundredths // 100) if round_up else hundredths // 100
