"""The part of JSONPath that columns of custom resources use.

Examples: `.spec.replicas`, `.spec.hosts[0]`, `.status.conditions[?(@.type=="Ready")].status`.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""
      \.(?P<field>(?:\\.|[^.\[\\])+)                                  # .name, .a\.b
    | \['(?P<quoted>[^']*)'\]                                        # ['name']
    | \[(?P<index>-?\d+)\]                                           # [0]
    | (?P<all>\[\*\]|\.\*)                                           # [*]
    | \[\?\(\s*@\.(?P<key>[\w./-]+)\s*==\s*                          # [?(@.key=="value")]
      (?:"(?P<a>[^"]*)"|'(?P<b>[^']*)'|(?P<c>[\w.-]+))\s*\)\]
    """,
    re.VERBOSE,
)
Step = Callable[[Any], Iterable[Any]]


def find(obj: Any, path: str) -> Any:
    """The first value at a path, or None: also for a path that cannot be read."""
    values = [obj]
    for step in _steps(path) or (_nothing,):
        values = [found for value in values for found in step(value)]
    return values[0] if values else None


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[Step, ...]:
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            return ()
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["field"] is not None:
        return _member(re.sub(r"\\(.)", r"\1", match["field"]))
    if match["quoted"] is not None:
        return _member(match["quoted"])
    if match["index"] is not None:
        return _item(int(match["index"]))
    if match["all"]:
        return _everything
    wanted = match["a"] if match["a"] is not None else match["b"] if match["b"] is not None else match["c"]
    return _matching(match["key"], wanted)


def _nothing(_: Any) -> Iterable[Any]:
    return ()


def _everything(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _member(name: str) -> Step:
    return lambda value: (value[name],) if isinstance(value, dict) and value.get(name) is not None else ()


def _item(index: int) -> Step:
    return lambda value: value[index : index + 1 or None] if isinstance(value, list) else ()


def _matching(key: str, wanted: str) -> Step:
    def matches(item: Any) -> bool:
        value = item.get(key) if isinstance(item, dict) else None
        return (str(value).lower() if isinstance(value, bool) else str(value)) == wanted

    return lambda value: [item for item in value if matches(item)] if isinstance(value, list) else ()
