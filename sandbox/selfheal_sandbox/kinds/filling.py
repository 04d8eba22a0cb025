"""Filling in fields that a client left out."""

from typing import Any

from selfheal_sandbox.kinds.quantity import canonical_quantity
from selfheal_sandbox.store.objects import Object


def fill(target: Object, **values: Any) -> None:
    """Set fields that are absent or null: those that are pointers in Go, where 0, "" and false are values."""
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def fill_zero(target: Object, **values: Any) -> None:
    """Set fields that are absent, null or zero: those that are plain values in Go."""
    for name, value in values.items():
        if not target.get(name):
            target[name] = value


def part(target: Object, name: str) -> Object:
    """The object in a field, made empty when it is absent or null."""
    found = target.get(name)
    if found is None:
        found = target[name] = {}
    result: Object = found
    return result


def parts(target: Object, *names: str) -> list[Object]:
    """The items of some list fields, one list after the other; nothing of those that are absent or null."""
    return [item for name in names for item in target.get(name) or ()]


def canonicalize(amounts: Object | None, *names: str) -> None:
    """Write the quantities of a map (those that are named, else all) as the API server does, in place."""
    for name in names or list(amounts or {}):
        if amounts is not None and amounts.get(name) is not None:
            amounts[name] = canonical_quantity(amounts[name])
