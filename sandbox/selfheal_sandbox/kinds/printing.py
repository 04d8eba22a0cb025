"""Tables: which columns a kind has, and what an object shows in them (`kubectl get`, `-o wide`)."""

import json
from datetime import datetime
from functools import partial
from typing import Any

from selfheal_sandbox.kinds import json_path
from selfheal_sandbox.kinds.ages import age
from selfheal_sandbox.kinds.columns import BY_AGE, LAYOUTS, NAME, Column, Layout
from selfheal_sandbox.kinds.registry import PrinterColumn, Resource
from selfheal_sandbox.store.objects import Object, name_of


def columns(resource: Resource) -> list[Object]:
    """`columnDefinitions` of a Table of a resource."""
    return [_definition(column) for column in _layout(resource).columns]


def cells(resource: Resource, obj: Object, now: datetime) -> list[Any]:
    """Cells of one object, in the version of the resource, in the order of `columns`."""
    return _layout(resource).cells(obj, now)


def _layout(resource: Resource) -> Layout:
    if resource.printer_columns:
        heads = (Column(c.name, c.type, c.format, c.description, c.priority) for c in resource.printer_columns)
        return Layout((NAME, *heads), partial(_custom_cells, resource.printer_columns))
    return LAYOUTS.get(resource.key, BY_AGE)


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _custom_cells(asked: tuple[PrinterColumn, ...], obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), *(_custom_cell(column, obj, now) for column in asked)]


def _custom_cell(column: PrinterColumn, obj: Object, now: datetime) -> Any:
    """The value at a column's path in the column's type; None when there is none, or it has another type."""
    value = json_path.find(obj, column.json_path)
    if value is None:
        return None
    match column.type:
        case "date":
            return age(value, now) if isinstance(value, str) else None
        case "integer":
            return int(value) if isinstance(value, int | float) else None
        case "number":
            return value if isinstance(value, int | float) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case _:
            return value if isinstance(value, str) else json.dumps(value)
