"""The JSON Schema of what `--json` prints, made from the types that are printed."""

import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from inspect import getdoc
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from selfheal_cli.document import FORMAT_VERSION, camel, is_moment
from selfheal_core.domain.snapshot import Application, ControllerStatus, PodRow, Source

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
MOMENT: Schema = {"type": "string", "format": "date-time"}
AGE: Schema = {"type": ["number", "null"], "description": "Seconds; null where nothing is known."}
SCALARS: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}
NAMES: Mapping[type, str] = {PodRow: "Pod", ControllerStatus: "Healerd"}
"""What a type is called outside, where that differs."""


def document_schema() -> Schema:
    """The whole schema: a snapshot, or one of the lines that tell a change."""
    definitions: dict[str, Schema] = {}
    snapshot = _object(
        {
            "type": {"const": "snapshot"},
            "formatVersion": {"const": FORMAT_VERSION},
            "takenAt": MOMENT,
            "namespaces": {"type": "array", "items": {"type": "string"}, "description": "The scope; empty means all."},
            "serverVersion": {"type": "string"},
            "stale": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Sources whose data is not current: stale, lost or forbidden.",
            },
            "healerd": _schema(ControllerStatus, definitions),
            "sources": {"type": "object", "additionalProperties": _schema(Source, definitions)},
            "applications": {"type": "array", "items": _schema(Application, definitions)},
            "pods": {"type": "array", "items": _schema(PodRow, definitions)},
        },
        "Everything known at one moment; worst applications first.",
    )
    text: Schema = {"type": "string"}
    changes = {
        "application": {"application": _schema(Application, definitions)},
        "gone": {"namespace": text, "name": text},
        "source": {"source": _schema(Source, definitions)},
    }
    lines = [_object({"type": {"const": kind}, "at": MOMENT, **rest}) for kind, rest in changes.items()]
    return {
        "$schema": DIALECT,
        "title": "selfheal-tui --json",
        "description": "`--json` prints one snapshot; `--json --plain` a snapshot, then one line per change.",
        "oneOf": [snapshot, *lines],
        "$defs": dict(sorted(definitions.items())),
    }


def _object(properties: Mapping[str, Schema], description: str = "") -> Schema:
    about = {"description": description} if description else {}
    return {**about, "type": "object", "properties": dict(properties), "required": list(properties)}


def _schema(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of a type; records go to the definitions and are referred to."""
    if kind in SCALARS:
        return {"type": SCALARS[kind]}
    if _is_record(kind):
        return _reference(kind, definitions)
    return _SPECIAL[get_origin(kind)](get_args(kind), definitions)


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and (
        issubclass(kind, msgspec.Struct) or is_dataclass(kind) or hasattr(kind, "_fields")
    )


def _reference(kind: type, definitions: dict[str, Schema]) -> Schema:
    name = NAMES.get(kind, kind.__name__)
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _record(kind, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _record(kind: type, definitions: dict[str, Schema]) -> Schema:
    described = _descriptions(kind)
    properties = {
        camel(name): {**_field(name, hint, definitions), **described.get(name, {})}
        for name, hint in get_type_hints(kind).items()
        if not name.startswith("_") and get_origin(hint) is not typing.ClassVar
    }
    if kind is Application:
        del properties["key"]
        names: Schema = {"type": "string"}
        properties = {"name": names, "namespace": names, **properties, "sinceSeconds": AGE}
    if kind in (PodRow, Source):
        properties["ageSeconds"] = AGE
    return _object(properties, (getdoc(kind) or "").partition("\n\n")[0].replace("\n", " "))


def _field(name: str, hint: Any, definitions: dict[str, Schema]) -> Schema:
    if is_moment(name) and hint in (float, float | None):
        return {**MOMENT, "type": ["string", "null"]} if hint == float | None else dict(MOMENT)
    return _schema(hint, definitions)


def _descriptions(kind: type) -> dict[str, Schema]:
    """What the docstring's ``Attributes:`` say, by field."""
    _, _, section = (getdoc(kind) or "").partition("Attributes:\n")
    found: dict[str, Schema] = {}
    for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
        found[name] = {"description": " ".join(text.split())}
    return found


def _literal(values: tuple[Any, ...], _definitions: dict[str, Schema]) -> Schema:
    return {"enum": list(values)}


def _union(kinds: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    if all(kind in SCALARS for kind in kinds):
        return {"type": [SCALARS[kind] for kind in kinds]}
    return {"anyOf": [_schema(kind, definitions) for kind in kinds]}


def _sequence(kinds: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    return {"type": "array", "items": _schema(kinds[0], definitions)}


def _mapping(kinds: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": _schema(kinds[1], definitions)}


_SPECIAL: Mapping[Any, Callable[[tuple[Any, ...], dict[str, Schema]], Schema]] = {
    Literal: _literal,
    UnionType: _union,
    typing.Union: _union,
    tuple: _sequence,
    dict: _mapping,
    Mapping: _mapping,
}
"""Types that hold others, by their origin."""
