"""One reason why an object is invalid, worded as the API server words it in `details.causes` of a Status."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `details.causes`.

    Attributes:
        reason: A CauseType of meta/v1, such as "FieldValueRequired".
        field: Path of the field, such as "spec.containers[0].name".
        message: What is wrong, without the path.
    """

    reason: str
    field: str
    message: str


def required(field: str, detail: str = "") -> Cause:
    """A field that must be set and is not."""
    return Cause("FieldValueRequired", field, f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: Any, detail: str) -> Cause:
    """A field whose value breaks a rule."""
    return Cause("FieldValueInvalid", field, f"Invalid value: {shown(value)}: {detail}")


def wrong_type(field: str, actual: str, expected: str) -> Cause:
    """A field of a custom resource whose value is of another JSON type than its schema says."""
    detail = f'{field} in body must be of type {expected}: "{actual}"'
    return Cause("FieldValueTypeInvalid", field, f'Invalid value: "{actual}": {detail}')


def not_supported(field: str, value: Any, allowed: Iterable[Any]) -> Cause:
    """A field whose value is not one of those allowed."""
    names = ", ".join(shown(name) for name in allowed)
    return Cause("FieldValueNotSupported", field, f"Unsupported value: {shown(value)}: supported values: {names}")


def forbidden(field: str, detail: str) -> Cause:
    """A field that may not be set, or not be changed."""
    return Cause("FieldValueForbidden", field, f"Forbidden: {detail}")


def duplicate(field: str, value: Any) -> Cause:
    """An entry of a list that repeats the key of another one."""
    return Cause("FieldValueDuplicate", field, f"Duplicate value: {shown(value)}")


def too_long(field: str, limit_bytes: int) -> Cause:
    """A value longer than allowed."""
    return Cause("FieldValueTooLong", field, f"Too long: may not be more than {limit_bytes} bytes")


def shown(value: Any) -> str:
    """A value as messages show it: JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def not_found(field: str, value: Any) -> Cause:
    """A reference to something that is not there."""
    return Cause("FieldValueNotFound", field, f"Not found: {shown(value)}")
