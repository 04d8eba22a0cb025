"""Reads `application/vnd.kubernetes.protobuf` bodies, which kubectl and Helm send for built-in kinds.

Which fields a message has is said in `tables/protobuf.json`. Unknown fields are skipped, as protobuf has it.
"""

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from selfheal_sandbox.store.objects import Object

MAGIC = b"k8s\x00"
"""What every body begins with; a `runtime.Unknown` message follows."""

MAX_DEPTH = 64
"""Messages within messages; the API's own types stay below 20."""

_API = "k8s.io.api."
_MACHINERY = "k8s.io.apimachinery.pkg."
_DELETE_OPTIONS = _MACHINERY + "apis.meta.v1.DeleteOptions"
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProtobufError(ValueError):
    """A body that is no protobuf, is cut off, or is of a kind that the table does not have."""


class Field(msgspec.Struct, array_like=True, frozen=True):
    """One field of a message, as `tables/protobuf_table.py` writes it."""

    number: int
    name: str
    shape: Literal["one", "many", "map", "inline"]
    type: str
    keeps_zero: bool = False


class Table(msgspec.Struct):
    """`tables/protobuf.json`."""

    source: dict[str, str]
    messages: dict[str, list[Field]]


@cache
def table() -> Table:
    """The protobuf table, read when first asked for."""
    text = Path(__file__).with_name("tables").joinpath("protobuf.json").read_bytes()
    return msgspec.json.decode(text, type=Table)


@cache
def _fields(message: str) -> dict[int, Field]:
    return {field.number: field for field in table().messages.get(message, ())}


def decode(body: bytes) -> Object:
    """The object in a protobuf body, as the same client would have written it in JSON.

    Raises:
        ProtobufError: The body is malformed, or its kind is not in the table.
    """
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not begin like Kubernetes protobuf (6b 38 73 00)")
    unknown = _last_values(body[len(MAGIC) :])
    type_meta = _last_values(_bytes(unknown.get(1, b"")))
    api_version, kind = _text(type_meta.get(1, b"")), _text(type_meta.get(2, b""))
    message = message_name(api_version, kind)
    if message not in table().messages:
        raise ProtobufError(f"no protobuf decoder for {api_version}, Kind={kind}: send it as application/json")
    value = _decode_message(message, _bytes(unknown.get(2, b"")), 0)
    return {**value, "apiVersion": api_version, "kind": kind}


def message_name(api_version: str, kind: str) -> str:
    """Name of the message of a kind: packages are named after the first label of the group."""
    if kind == "DeleteOptions":
        return _DELETE_OPTIONS
    group, _, version = api_version.rpartition("/")
    return f"{_API}{group.split('.')[0] or 'core'}.{version}.{kind}"


def _wire(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield (field number, wire type, value) of a message: an unsigned number, or bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield number, wire_type, value
            continue
        if wire_type == _BYTES:
            length, position = _varint(data, position)
        elif wire_type in (_FIXED_32, _FIXED_64):
            length = 4 if wire_type == _FIXED_32 else 8
        else:
            raise ProtobufError(f"wire type {wire_type} of field {number} is not in use")
        end = position + length
        if end > len(data):
            raise ProtobufError(f"the body ends within field {number}")
        yield number, wire_type, data[position:end]
        position = end


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = 0
    for index, byte in enumerate(data[position : position + _MAX_VARINT_BYTES]):
        result |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return result, position + index + 1
    raise ProtobufError("the body ends within a number")


def _last_values(data: bytes) -> dict[int, int | bytes]:
    return {number: value for number, _, value in _wire(data)}


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("a number stands where a text or message should")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError(f"a text is not UTF-8: {error}") from error


def _signed(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ProtobufError("a text stands where a number should")
    return value - (1 << 64) if value >= 1 << 63 else value


def _decode_message(name: str, data: bytes, depth: int) -> Object:
    if depth > MAX_DEPTH:
        raise ProtobufError(f"messages are nested more than {MAX_DEPTH} deep")
    fields = _fields(name)
    result: Object = {}
    for number, _, raw in _wire(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.shape == "map":
            key, value = _entry(field, _bytes(raw), depth)
            result.setdefault(field.name, {})[key] = value
        elif field.shape == "many":
            result.setdefault(field.name, []).append(_value(field.type, raw, depth))
        elif field.shape == "inline":
            result.update(_decode_message(field.type, _bytes(raw), depth + 1))
        else:
            value = _value(field.type, raw, depth)
            if _was_set(field, value):
                result[field.name] = value
    return result


def _was_set(field: Field, value: Any) -> bool:
    """Whether a client set a field: Go writes the zero values of scalars that are not pointers, set or not."""
    if value is None:
        return False
    return field.keeps_zero or field.type not in _SCALARS or bool(value)


def _entry(field: Field, data: bytes, depth: int) -> tuple[str, Any]:
    """Key and value of one entry of a map; what is left out is empty."""
    entry = _last_values(data)
    return _text(entry.get(1, b"")), _value(field.type, entry.get(2, b""), depth)


def _value(kind: str, raw: int | bytes, depth: int) -> Any:
    reader = _SCALARS.get(kind) or _SPECIAL.get(kind)
    return reader(raw) if reader else _decode_message(kind, _bytes(raw), depth + 1)


def _double(raw: int | bytes) -> float:
    data = _bytes(raw)
    if len(data) != 8:
        raise ProtobufError("a number is not 8 bytes long")
    value: float = struct.unpack("<d", data)[0]
    return value


def _base64(raw: int | bytes) -> str:
    return base64.b64encode(_bytes(raw)).decode()


def _moment(raw: int | bytes) -> datetime | None:
    """A `Time`: seconds and nanoseconds since the epoch; an empty one is no time."""
    values = _last_values(_bytes(raw))
    if not values:
        return None
    try:
        return _EPOCH + timedelta(seconds=_signed(values.get(1, 0)), microseconds=_signed(values.get(2, 0)) // 1000)
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


def _time(raw: int | bytes) -> str | None:
    moment = _moment(raw)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _micro_time(raw: int | bytes) -> str | None:
    moment = _moment(raw)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def _quantity(raw: int | bytes) -> str:
    return _text(_last_values(_bytes(raw)).get(1, b"")) or "0"


def _int_or_string(raw: int | bytes) -> int | str:
    values = _last_values(_bytes(raw))
    return _text(values.get(3, b"")) if values.get(1, 0) == 1 else _signed(values.get(2, 0))


def _raw_json(raw: int | bytes) -> Any:
    """A message that carries JSON: managed fields, the data of a ControllerRevision."""
    text = _bytes(_last_values(_bytes(raw)).get(1, b"{}"))
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ProtobufError(f"embedded JSON cannot be read: {error}") from error


def _items(raw: int | bytes) -> list[str]:
    return [_text(value) for number, _, value in _wire(_bytes(raw)) if number == 1]


_Reader = Callable[[int | bytes], Any]
_SCALARS: dict[str, _Reader] = {
    "string": _text,
    "bytes": _base64,
    "bool": lambda raw: bool(_signed(raw)),
    "int32": _signed,
    "int64": _signed,
    "double": _double,
}
_SPECIAL: dict[str, _Reader] = {
    _API + "authorization.v1.ExtraValue": _items,
    _MACHINERY + "api.resource.Quantity": _quantity,
    _MACHINERY + "apis.meta.v1.FieldsV1": _raw_json,
    _MACHINERY + "apis.meta.v1.MicroTime": _micro_time,
    _MACHINERY + "apis.meta.v1.Time": _time,
    _MACHINERY + "runtime.RawExtension": _raw_json,
    _MACHINERY + "util.intstr.IntOrString": _int_or_string,
}
"""Messages whose JSON form is not an object of their fields."""
