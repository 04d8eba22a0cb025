"""A small validator for the schema of the JSON output: the keywords that the generator writes, and no unknown field."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
KNOWN = frozenset(
    {"$ref", "anyOf", "oneOf", "const", "enum", "type", "format", "properties", "required"}
    | {"additionalProperties", "items", "description", "$schema", "title", "$defs"}
)


def problems(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Everything that is wrong with a document, with its place."""
    assert set(schema) <= KNOWN, f"the validator does not know {set(schema) - KNOWN}"
    if "$ref" in schema:
        yield from problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    for keyword in ("anyOf", "oneOf"):
        found = [list(problems(value, choice, root, at)) for choice in schema.get(keyword, ())]
        if found and all(found):
            yield from min(found, key=len)
    if "const" in schema and value != schema["const"]:
        yield f"{at} is {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}, none of {schema['enum']}"
    yield from _type_problems(value, schema, at)
    if isinstance(value, dict) and schema.get("type") == "object":
        yield from _object_problems(value, schema, root, at)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from problems(item, schema["items"], root, f"{at}[{number}]")


def _type_problems(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted
    if names is not None:
        matches = any(isinstance(value, TYPES[name]) for name in names)
        if not matches or (isinstance(value, bool) and "boolean" not in names):
            yield f"{at} is {value!r}, no {' or '.join(names)}"
    is_moment = schema.get("format") == "date-time" and isinstance(value, str)
    if is_moment and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
        yield f"{at} is {value!r}, no moment"


def _object_problems(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, item in value.items():
        inner = properties.get(name, schema.get("additionalProperties"))
        if inner is None:
            yield f"{at}.{name} is not in the schema"
        else:
            yield from problems(item, inner, root, f"{at}.{name}")
