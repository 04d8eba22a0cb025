"""Rules of custom objects that look at more than one value: at a former one, at a list's other items, at the scale."""

from collections.abc import Iterator
from typing import Any

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import SchemaNode, root
from selfheal_sandbox.store.objects import Object

IMMUTABLE_RULES = frozenset({"self==oldSelf", "oldSelf==self"})
"""The one CEL expression that is evaluated here (without its spaces): the field may not change."""

MAX_REPLICAS = 2**31 - 1
"""A Scale holds 32 bits."""


def custom_causes(resource: Resource, obj: Object, old: Object | None) -> Iterator[Cause]:
    """Yield a cause for each replica count that is none, each repeated item, and each immutable field that has changed.

    Of `x-kubernetes-validations` only the rule `self == oldSelf` is evaluated; all others are accepted and ignored.
    """
    for path in (resource.scale_paths or ())[:2]:
        yield from _replica_causes(obj, path)
    yield from _repeated(obj, root(resource), "")
    if old is not None:
        yield from _changed(obj, old, root(resource), "")


def null_causes(value: Any, node: SchemaNode, path: str = "") -> Iterator[Cause]:
    """Yield a cause for each null that is neither allowed nor replaced by a default.

    Requests lose their nulls when they are decoded; what is applied keeps them.
    """
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from null_causes(item, node.items, f"{path}[{index}]")
    for name, item in value.items() if isinstance(value, dict) else ():
        known, below = node.field(name) or node.values, f"{path}.{name}" if path else name
        if known is None or "default" in known.keywords:
            continue
        if item is None and known.type and not known.keywords.get("nullable"):
            yield cause.wrong_type(below, "null", known.type)
        yield from null_causes(item, known, below)


def _replica_causes(obj: Object, path: str) -> Iterator[Cause]:
    """Check the number at a path of the scale subresource, as customresource/validator.go does; its dot is told too."""
    value: Any = obj
    for step in path.split(".")[1:]:
        if not isinstance(value, dict):
            break
        value = value.get(step)
        if value is None:
            return
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        yield cause.invalid(path, 0, f"{path} accessor error: {cause.shown(value)} is no whole number")
    elif value < 0:
        yield cause.invalid(path, value, "should be a non-negative integer")
    elif value > MAX_REPLICAS:
        yield cause.invalid(path, value, f"should be less than or equal to {MAX_REPLICAS}")


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
