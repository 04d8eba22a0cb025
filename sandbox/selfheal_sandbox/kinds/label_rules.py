"""What must hold for labels, wherever they stand (ValidateLabels of k8s.io/apimachinery)."""

from collections.abc import Iterator

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.name_rules import label_value, qualified_name
from selfheal_sandbox.store.objects import Object


def label_causes(labels: Object | None, path: str) -> Iterator[Cause]:
    """Rules of the keys and values of labels, or of a map that chooses by them."""
    for key, value in (labels or {}).items():
        yield from (cause.invalid(path, key, problem) for problem in qualified_name(key))
        yield from (cause.invalid(path, value, problem) for problem in label_value(value))
