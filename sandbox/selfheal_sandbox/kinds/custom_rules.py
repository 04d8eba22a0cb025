"""Rules of custom objects that compare a value with its former one."""

from collections.abc import Iterator
from typing import Any

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import SchemaNode, root
from selfheal_sandbox.store.objects import Object

IMMUTABLE_RULES = frozenset({"self==oldSelf", "oldSelf==self"})
"""The one CEL expression that is evaluated here (without its spaces): the field may not change."""


def custom_causes(resource: Resource, obj: Object, old: Object | None) -> Iterator[Cause]:
    """Yield a cause for each repeated item of a set or map list, and for each field that is immutable and has changed.

    Of `x-kubernetes-validations` only the rule `self == oldSelf` is evaluated; all others are accepted and ignored.
    """
    yield from _repeated(obj, root(resource), "")
    if old is not None:
        yield from _changed(obj, old, root(resource), "")


def _changed(value: Any, old: Any, node: SchemaNode, path: str) -> Iterator[Cause]:
    if value is None or old is None or value == old:
        return
    for rule in node.keywords.get("x-kubernetes-validations") or ():
        if rule.get("rule", "").replace(" ", "") in IMMUTABLE_RULES:
            yield cause.invalid(path or "<nil>", value, rule.get("message") or f"failed rule: {rule['rule']}")
    if isinstance(value, dict) and isinstance(old, dict):
        for name in value.keys() & old.keys():
            known = node.field(name) or node.values
            if known is not None:
                yield from _changed(value[name], old[name], known, f"{path}.{name}" if path else name)


def _repeated(value: Any, node: SchemaNode, path: str) -> Iterator[Cause]:
    if isinstance(value, dict):
        for name, item in value.items():
            known = node.field(name) or node.values
            if known is not None:
                yield from _repeated(item, known, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        keys = node.keywords.get("x-kubernetes-list-map-keys") or ()
        is_whole = node.keywords.get("x-kubernetes-list-type") not in ("map", "set")
        seen: list[Any] = []
        for index, item in enumerate(value):
            shown = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
            if not is_whole and shown in seen:
                yield cause.duplicate(f"{path}[{index}]", shown)
            seen.append(shown)
            yield from _repeated(item, node.items, f"{path}[{index}]")
