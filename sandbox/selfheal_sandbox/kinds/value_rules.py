"""Rules that a custom schema sets on single values: enumerations, patterns, bounds, lengths, formats."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.store.objects import Object


def broken_rules(value: Any, keywords: Object, field: str) -> Iterator[Cause]:
    """Yield a cause for each rule of a schema that a value of the right type breaks (not those of its children).

    `x-kubernetes-validations` (CEL) and the combinators allOf, anyOf, oneOf and not are not evaluated.
    """
    allowed = keywords.get("enum")
    if allowed is not None and value not in allowed:
        yield cause.not_supported(field, value, allowed)
    for keyword, (applies_to, breaks, wording) in _RULES.items():
        limit = keywords.get(keyword)
        if limit is not None and _is(value, applies_to) and breaks(value, limit, keywords):
            yield cause.invalid(field, value, f"{field} in body {wording(limit, keywords)}")


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


@lru_cache(maxsize=1024)
def _pattern(expression: str) -> re.Pattern[str] | None:
    """A compiled pattern; None for one that only Go's syntax allows, which is then not enforced."""
    try:
        return re.compile(expression)
    except re.error:
        return None


def _mismatches(value: str, expression: str, _: Object) -> bool:
    pattern = _pattern(expression)
    return pattern is not None and pattern.search(value) is None


def _malformed(value: str, name: str, _: Object) -> bool:
    if name not in ("date-time", "datetime"):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except ValueError:
        return True


def _below(value: float, limit: float, keywords: Object) -> bool:
    return value <= limit if keywords.get("exclusiveMinimum") else value < limit


def _above(value: float, limit: float, keywords: Object) -> bool:
    return value >= limit if keywords.get("exclusiveMaximum") else value > limit


def _or_equal(exclusive: Any) -> str:
    return "" if exclusive else " or equal to"


_NUMBER = (int, float)
_Rule = tuple[type | tuple[type, ...], Callable[[Any, Any, Object], bool], Callable[[Any, Object], str]]
_RULES: dict[str, _Rule] = {
    "pattern": (str, _mismatches, lambda limit, _: f"should match '{limit}'"),
    "format": (str, _malformed, lambda limit, _: f"must be of type {limit}"),
    "minLength": (str, lambda v, n, _: len(v) < n, lambda n, _: f"should be at least {n} chars long"),
    "maxLength": (str, lambda v, n, _: len(v) > n, lambda n, _: f"should be at most {n} chars long"),
    "minItems": (list, lambda v, n, _: len(v) < n, lambda n, _: f"should have at least {n} items"),
    "maxItems": (list, lambda v, n, _: len(v) > n, lambda n, _: f"should have at most {n} items"),
    "minProperties": (dict, lambda v, n, _: len(v) < n, lambda n, _: f"should have at least {n} properties"),
    "maxProperties": (dict, lambda v, n, _: len(v) > n, lambda n, _: f"should have at most {n} properties"),
    "minimum": (
        _NUMBER,
        _below,
        lambda n, keywords: f"should be greater than{_or_equal(keywords.get('exclusiveMinimum'))} {n}",
    ),
    "maximum": (
        _NUMBER,
        _above,
        lambda n, keywords: f"should be less than{_or_equal(keywords.get('exclusiveMaximum'))} {n}",
    ),
    "multipleOf": (_NUMBER, lambda v, n, _: v % n != 0, lambda n, _: f"should be a multiple of {n}"),
}
