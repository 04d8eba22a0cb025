"""What must hold for the fields of a pod that say where it may run and what it is called there (core validation)."""

from collections.abc import Iterator

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.kinds.label_rules import label_causes
from selfheal_sandbox.kinds.name_rules import dns_label, dns_subdomain, label_value, qualified_name
from selfheal_sandbox.store.objects import Object

_NAMES = {"hostname": dns_label, "nodeName": dns_subdomain, "subdomain": dns_label}


def placement_causes(spec: Object, path: str) -> Iterator[Cause]:
    """Rules of a pod's node, names and tolerations."""
    for field, rule in _NAMES.items():
        name = spec.get(field)
        if name:
            yield from (cause.invalid(f"{path}.{field}", name, problem) for problem in rule(name))
    yield from label_causes(spec.get("nodeSelector"), f"{path}.nodeSelector")
    for index, toleration in enumerate(parts(spec, "tolerations")):
        yield from _toleration_causes(toleration, f"{path}.tolerations[{index}]")


def _toleration_causes(toleration: Object, path: str) -> Iterator[Cause]:
    key, operator, value = (toleration.get(field) or "" for field in ("key", "operator", "value"))
    if key:
        yield from (cause.invalid(f"{path}.key", key, problem) for problem in qualified_name(key))
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield cause.invalid(f"{path}.operator", operator, detail)
    effect = toleration.get("effect") or ""
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield cause.invalid(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if operator == "Exists" and value:
        yield cause.invalid(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'")
    if operator in ("", "Equal"):
        yield from (cause.invalid(f"{path}.operator", value, problem) for problem in label_value(value))
