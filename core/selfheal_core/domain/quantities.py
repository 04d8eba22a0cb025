"""Kubernetes quantities (``250m``, ``64Mi``) as plain integers.

Source of the suffixes: apimachinery ``resource.Quantity`` (decimal n, u, m, k, M, G, T, P, E; binary Ki ... Ei;
exponents such as ``1e3``).
"""

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


LARGEST = 2**63 - 1
"""As in ``resource.Quantity``; the number of digits is bounded too, so that nobody has to write out a megabyte."""
WHOLE_DIGITS = 9
_QUANTITY = re.compile(r"([+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?)([numkMGTPE]?|[KMGTPE]i)")


def _parse(quantity: str | int) -> Decimal:
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None or match[2] not in _SCALE:
        raise ValueError(f"'{quantity}' is no Kubernetes quantity (write 250m, 1.5 or 64Mi)")
    value = Decimal(match[1]) * _SCALE[match[2]]
    if abs(value) > LARGEST:
        raise ValueError(f"'{quantity}' is more than a Kubernetes quantity can be")
    return value


def whole_number(text: str) -> int | None:
    """Digits, as annotations and labels hold them; None for anything else, and for more of them than any count has."""
    return int(text) if text.isdecimal() and len(text) <= WHOLE_DIGITS else None


@lru_cache(maxsize=16_384)
def cpu_millicores(quantity: str | int) -> int:
    """CPU in thousandths of a core, rounded up as Kubernetes' ``MilliValue`` does: ``250m`` -> 250, ``1n`` -> 1.

    Raises:
        ValueError: It is no quantity.
    """
    return int((_parse(quantity) * 1000).to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=16_384)
def memory_bytes(quantity: str | int) -> int:
    """Memory in bytes, rounded up: ``64Mi`` -> 67108864.

    Raises:
        ValueError: It is no quantity.
    """
    return int(_parse(quantity).to_integral_value(ROUND_CEILING))
