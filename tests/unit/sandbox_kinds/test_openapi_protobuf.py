import msgspec

from selfheal_sandbox.kinds.openapi_protobuf import document
from selfheal_sandbox.kinds.registry import Registry


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message: (number, value)."""
    found, position = [], 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        key = varint()
        assert key & 7 == 2
        length = varint()
        found.append((key >> 3, message[position : position + length]))
        position += length
    return found


def test_names_every_kind_and_says_nothing_about_its_fields() -> None:
    registry = Registry()
    top = dict(fields(document(registry)))
    assert top[1] == b"2.0"

    kinds = []
    for _, entry in fields(top[9]):
        schema = dict(fields(entry))[2]
        ((number, extension),) = fields(schema)
        assert number == 31
        name, value = fields(extension)
        assert name == (1, b"x-kubernetes-group-version-kind")
        ((_, text),) = fields(value[1])
        kinds += msgspec.json.decode(text)

    expected = [{"group": one.group, "version": one.version, "kind": one.kind} for one in registry]
    assert kinds == expected
