"""JSON patch (RFC 6902)."""

import copy
from typing import Any

from selfheal_sandbox.api.errors import ApiError

OPERATION_LIMIT = 10_000
"""Operations in one patch at most, as the API server limits it."""
_NOTHING = object()


def json_patch_error(message: str) -> ApiError:
    """422: the patch cannot be applied, worded as the API server words it."""
    return ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {message}")


def json_patch(document: Any, operations: Any) -> Any:
    """Return the document with every operation applied; the document itself is not changed.

    Raises:
        ApiError: 422, the patch is malformed, names a place that does not exist, or a test in it fails; 413, too long.
    """
    if not isinstance(operations, list):
        raise json_patch_error("a JSON patch is a list of operations")
    if len(operations) > OPERATION_LIMIT:
        text = f"The allowed maximum operations in a JSON patch is {OPERATION_LIMIT}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", text)
    result = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict):
            raise json_patch_error("an operation of a JSON patch is an object")
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    path = _pointer(operation, "path")
    match operation.get("op"):
        case "add":
            return _add(document, path, copy.deepcopy(_value(operation)))
        case "remove":
            return _remove(document, path)
        case "replace":
            return _replace(document, path, copy.deepcopy(_value(operation)))
        case "move":
            source = _pointer(operation, "from")
            if path[: len(source)] == source and path != source:
                raise json_patch_error("a value cannot be moved into itself")
            moved = _get(document, source)
            return _add(_remove(document, source), path, moved)
        case "copy":
            return _add(document, path, copy.deepcopy(_get(document, _pointer(operation, "from"))))
        case "test":
            if not _equal(_get(document, path), _value(operation)):
                raise json_patch_error(f"testing value {operation['path']} failed: test failed")
            return document
        case unknown:
            raise json_patch_error(f"Unexpected kind: {unknown!r}")


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _value(operation: dict[str, Any]) -> Any:
    value = operation.get("value", _NOTHING)
    if value is _NOTHING:
        raise json_patch_error(f"operation {operation.get('op')!r} has no value")
    return value


def _pointer(operation: dict[str, Any], name: str) -> list[str]:
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise json_patch_error(f"{name} must be a JSON pointer, not {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _missing(path: list[str]) -> ApiError:
    return json_patch_error(f"path /{'/'.join(path)} does not exist: missing value")


def _index(part: str, size: int, path: list[str]) -> int:
    """Return a list index; the API server reads negative ones as counted from the end."""
    digits = part.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise _missing(path)
    index = int(part)
    if not -size <= index < size:
        raise _missing(path)
    return index


def _get(document: Any, path: list[str]) -> Any:
    value = document
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list):
            value = value[_index(part, len(value), path)]
        else:
            raise _missing(path)
    return value


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1, path), value)
    else:
        raise _missing(path)
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    """Replace a value; as the API server's library does, a field that is missing is added."""
    if path and isinstance(parent := _get(document, path[:-1]), list):
        parent[_index(path[-1], len(parent), path)] = value
        return document
    return _add(document, path, value)


def _remove(document: Any, path: list[str]) -> Any:
    _get(document, path)
    if not path:
        return None
    parent, last = _get(document, path[:-1]), path[-1]
    del parent[_index(last, len(parent), path) if isinstance(parent, list) else last]
    return document
