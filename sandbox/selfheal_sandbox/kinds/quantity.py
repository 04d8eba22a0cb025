"""Kubernetes quantities: `500m`, `128Mi`, `1e3`."""

import re
from decimal import Decimal

_PATTERN = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d{1,2})?"
)
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M"), -3)}
_DECIMAL |= {"G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15, "E": Decimal(10) ** 18}
_FACTORS = _BINARY | _DECIMAL


def is_quantity(text: str) -> bool:
    """Whether a text is a quantity."""
    return _PATTERN.fullmatch(text) is not None


def parse_quantity(value: str | float) -> Decimal:
    """The number behind a quantity; `128Mi` is 134217728, `500m` is 0.5.

    Raises:
        ValueError: It is not a quantity.
    """
    match = _PATTERN.fullmatch(str(value))
    if match is None:
        raise ValueError(f"not a quantity: {value!r}")
    number, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix not in _FACTORS:
        return number * Decimal(10) ** int(suffix[1:])
    return number * _FACTORS[suffix]
