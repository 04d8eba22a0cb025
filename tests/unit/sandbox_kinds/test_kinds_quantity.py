"""Kubernetes quantities."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_sandbox.kinds.quantity import canonical_quantity, is_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1Ki", "1024"),
        ("128Mi", "134217728"),
        ("2k", "2000"),
        ("1M", "1000000"),
        ("3G", "3000000000"),
        ("1E", "1000000000000000000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1e-3", "0.001"),
        ("-1", "-1"),
        ("+7n", "0.000000007"),
        ("5u", "0.000005"),
    ],
)
def test_suffixes_scale_the_number(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


def test_numbers_are_quantities_too() -> None:
    assert parse_quantity(2) == 2
    assert parse_quantity(0.1) == Decimal("0.1")


@pytest.mark.parametrize("text", ["", "m", "1 ", "1mi", "1.2.3", "--1", "1KiB", "e3", "1e999", "inf"])
def test_anything_else_is_refused(text: str) -> None:
    assert not is_quantity(text)
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("0.5Ki", "512"),
        ("1E3", "1e3"),
        ("-1500m", "-1500m"),
        ("100000000000000000000", "100E"),
        ("1e25", "10e24"),
        ("1e99", "1e99"),
        ("9" * 40, "9" * 40),
        ("1e-99", "1e-9"),
    ],
)
def test_a_quantity_is_written_in_the_largest_unit_that_leaves_a_whole_number(text: str, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


@settings(derandomize=True)
@given(st.integers(min_value=0, max_value=10**15))
def test_a_thousandth_is_a_milli(number: int) -> None:
    assert parse_quantity(f"{number}m") * 1000 == parse_quantity(str(number))
