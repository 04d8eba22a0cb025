"""Kubernetes quantities: `500m`, `128Mi`, `1e3`."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

_PATTERN = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d{1,2})?"
)
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M"), -3)}
_DECIMAL |= {"G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15, "E": Decimal(10) ** 18}
_FACTORS = _BINARY | _DECIMAL
_NANO_DIGITS, _LARGEST_EXPONENT = 9, 99
_EXPONENTS = range(-_NANO_DIGITS, _LARGEST_EXPONENT + 1, 3)


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


def canonical_quantity(value: str | float) -> str:
    """A quantity as the API server writes it: in the largest unit that leaves a whole number, `0.5` as `500m`.

    Binary units stay binary where the number is at least 1024 and whole (CanonicalizeBytes in apimachinery's resource).

    Raises:
        ValueError: It is not a quantity.
    """
    text = str(value)
    with localcontext() as context:
        # Every digit from the first one to a billionth, or decimal refuses to round and to divide.
        context.prec = len(text) + _LARGEST_EXPONENT + _NANO_DIGITS
        return _canonical(parse_quantity(text), text)


def _canonical(amount: Decimal, text: str) -> str:
    if text.endswith("i") and abs(amount) >= 1024 and amount == amount.to_integral_value():
        return _in_units(amount, {"": Decimal(1), **_BINARY})
    amount = amount.quantize(_DECIMAL["n"], ROUND_CEILING if amount > 0 else ROUND_FLOOR)
    if re.search(r"[eE][+-]?\d", text):
        return _in_units(amount, {f"e{power}" if power else "": Decimal(10) ** power for power in _EXPONENTS})
    return _in_units(amount, _DECIMAL)


def _in_units(amount: Decimal, units: dict[str, Decimal]) -> str:
    if not amount:
        return "0"
    fitting = [suffix for suffix, factor in units.items() if amount % factor == 0]
    suffix = max(fitting, key=units.__getitem__)
    return f"{int(amount / units[suffix])}{suffix}"
