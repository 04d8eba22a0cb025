"""Request bodies: JSON, YAML or protobuf in, plain JSON values out, and a 4xx error for everything else."""

import math
from typing import Any

import msgspec
import yaml

from selfheal_sandbox.api import errors
from selfheal_sandbox.kinds import protobuf
from selfheal_sandbox.store.objects import Object

JSON_TYPE = "application/json"
YAML_TYPE = "application/yaml"
PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf"
OBJECT_TYPES = (JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE)

DEPTH_LIMIT = 100
"""Levels of nesting that are read; the API server's own limit for a JSON body is 10,000, Python's stack is smaller."""
SIZE_LIMIT = 200_000
"""Values in one body that are read: what aliases of YAML can multiply is bounded by this."""
_INT64 = range(-(2**63), 2**63)


class _JsonLikeLoader(yaml.SafeLoader):
    """YAML as JSON knows it: no dates, no binary, no sets."""


_JsonLikeLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def media_type(content_type: str) -> str:
    """Return a Content-Type without its parameters; JSON when there is none."""
    return content_type.partition(";")[0].strip().lower() or JSON_TYPE


def decode_object(body: bytes, content_type: str) -> Object:
    """Decode the body of a request that carries an object.

    Raises:
        ApiError: 400, it cannot be read or is no object; 415, the content type is not one of ours.
    """
    kind = media_type(content_type)
    if kind == PROTOBUF_TYPE:
        return _from_protobuf(body)
    if kind == YAML_TYPE:
        value = from_yaml(body)
    elif kind == JSON_TYPE:
        value = from_json(body)
    else:
        raise errors.unsupported_media_type(OBJECT_TYPES)
    if not isinstance(value, dict):
        raise errors.bad_request("the body of the request is not an object with apiVersion and kind")
    return value


def from_json(body: bytes) -> Any:
    """Decode JSON.

    Raises:
        ApiError: 400.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.bad_request(f"error decoding the body as JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    return normalised(value)


def from_yaml(body: bytes) -> Any:
    """Decode YAML, of which JSON is a part.

    Raises:
        ApiError: 400.
    """
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return from_json(body)
        except errors.ApiError:
            pass_on = body  # YAML in flow style may begin like JSON
    else:
        pass_on = body
    try:
        value = yaml.load(pass_on, Loader=_JsonLikeLoader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, OverflowError) as error:
        text = " ".join(str(error).split())
        raise errors.bad_request(f"error decoding the body as YAML: {text}") from None
    except RecursionError:
        raise _too_deep() from None
    return normalised(value)


def _from_protobuf(body: bytes) -> Object:
    try:
        value = normalised(protobuf.decode(body))
    except protobuf.ProtobufError as error:
        raise errors.bad_request(f"error decoding the body as protobuf: {error}") from None
    if not isinstance(value, dict):
        raise errors.bad_request("the body of the request is not an object with apiVersion and kind")
    return value


def normalised(value: Any) -> Any:
    """Return a value as JSON could have it: keys are text, numbers are finite and of 64 bits, nesting is bounded.

    Raises:
        ApiError: 400, something else is in it.
    """
    return _Normaliser().visit(value, 0)


class _Normaliser:
    """Counts what it visits, so that a small text cannot become a huge object."""

    def __init__(self) -> None:
        self._visited = 0

    def visit(self, value: Any, depth: int) -> Any:
        self._visited += 1
        if self._visited > SIZE_LIMIT:
            raise errors.bad_request(f"the body of the request holds more than {SIZE_LIMIT} values")
        if depth > DEPTH_LIMIT:
            raise _too_deep()
        if isinstance(value, dict):
            return {_key_text(key): self.visit(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.visit(item, depth + 1) for item in value]
        return _scalar(value)


def _key_text(key: Any) -> str:
    if isinstance(key, str):
        return _scalar(key)  # type: ignore[no-any-return]
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, int | float):
        return str(key)
    raise errors.bad_request(f"a key of type {type(key).__name__} is not supported: keys are text")


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise errors.bad_request("the body of the request holds text that is not valid UTF-8")
        return value
    if isinstance(value, int) and value in _INT64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise errors.bad_request(f"the body of the request holds a value that JSON cannot have: {type(value).__name__}")


def _too_deep() -> errors.ApiError:
    return errors.bad_request(f"the body of the request is nested deeper than {DEPTH_LIMIT} levels")
