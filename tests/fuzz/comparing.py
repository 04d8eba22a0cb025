"""Where two normalised answers differ."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.fuzz.calls import Call

MISSING = "(nothing)"
_SHOWN_CHARACTERS = 300
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, normalised.

    Attributes:
        code: HTTP status code.
        body: normalised; of a watch, the list of its events.
        warnings: texts of the ``Warning`` headers.
        message: of a Status, as it was sent.
    """

    code: int
    body: Any
    warnings: tuple[str, ...] = ()
    message: str = ""

    def shown(self) -> str:
        """Return one line about it."""
        if self.message:
            return f"{self.code} {self.message}"[:_SHOWN_CHARACTERS]
        return f"{self.code} {json.dumps(self.body, separators=(',', ':'))}"[:_SHOWN_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two answers to a call differ.

    Attributes:
        index: which call of the sequence; the length of the sequence stands for the end state.
        call: the call.
        field: ``code``, ``warnings``, or a path in the body with ``[]`` for every index.
        real: what Kubernetes has there.
        sandbox: what the sandbox has there.
    """

    index: int
    call: Call
    field: str
    real: str
    sandbox: str

    @property
    def signature(self) -> tuple[str, str, str]:
        """What makes two differences the same finding."""
        return self.call.verb, self.call.kind, self.field

    def shown(self) -> str:
        """Return one line about it."""
        return f"{self.call.verb} {self.call.kind}: {self.field}: Kubernetes {self.real} | sandbox {self.sandbox}"


Pair: TypeAlias = tuple[Answer, Answer]


def differences(index: int, call: Call, pair: Pair) -> Iterator[Difference]:
    """Yield where the answers of Kubernetes and of the sandbox differ; of different codes, the codes alone."""
    real, sandbox = pair
    if real.code != sandbox.code:
        yield Difference(index, call, "code", real.shown(), sandbox.shown())
        return
    if real.warnings != sandbox.warnings:
        yield Difference(index, call, "warnings", shown(list(real.warnings)), shown(list(sandbox.warnings)))
    for path, left, right in _places(real.body, sandbox.body, ""):
        yield Difference(index, call, _INDEX.sub("[]", path), shown(left), shown(right))


def shown(value: Any) -> str:
    """Return a value as one short line."""
    return MISSING if value is MISSING else json.dumps(value, separators=(",", ":"))[:_SHOWN_CHARACTERS]


def _places(left: Any, right: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(left.keys() | right.keys()):
            yield from _places(left.get(name, MISSING), right.get(name, MISSING), f"{path}.{name}" if path else name)
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            yield path or "body", _surplus(left, right), _surplus(right, left)
            return
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _places(one, other, f"{path}[{number}]")
    elif type(left) is not type(right) or left != right:
        yield path or "body", left, right


def _surplus(items: list[Any], others: list[Any]) -> list[Any]:
    """Return the items that the other list does not have: what a reader wants to know of lists of other lengths."""
    rest = list(others)
    return [item for item in items if item not in rest or rest.remove(item)]  # type: ignore[func-returns-value]
