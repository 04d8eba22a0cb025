"""What each image of the Containerfile is made of, read from its text."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(\w+)(?::-(\w+))?\}")


@dataclass(slots=True)
class Stage:
    """One ``FROM``, with the stages and paths of the build context that it takes.

    Attributes:
        base: What ``FROM`` names, as it is written.
        stages: Named by ``COPY --from``.
        sources: Copied out of the build context.
    """

    base: str
    stages: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def read_stages(text: str) -> dict[str, Stage]:
    """The stages of a Containerfile by name."""
    stages: dict[str, Stage] = {}
    current = Stage("")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, *arguments = line.split() or [""]
        if word == "FROM":
            current = stages[arguments[-1]] = Stage(arguments[0])
        elif word == "COPY":
            _copy(current, arguments)
    return stages


def _copy(stage: Stage, arguments: list[str]) -> None:
    given = [word.removeprefix("--from=") for word in arguments if word.startswith("--from=")]
    if given:
        stage.stages += given
    else:
        stage.sources += [word for word in arguments[:-1] if not word.startswith("--")]


def sources(stages: dict[str, Stage], target: str, arguments: dict[str, str]) -> tuple[str, ...]:
    """Paths of the build context that a target takes, through every stage that it is made from.

    Args:
        stages: As `read_stages` returns them.
        target: Name of a stage.
        arguments: Values of the build arguments that ``FROM`` lines use.
    """
    seen: set[str] = set()
    waiting = [target]
    found: set[str] = set()
    while waiting:
        name = _VARIABLE.sub(lambda used: arguments.get(used[1], used[2] or ""), waiting.pop())
        if name in seen or name not in stages:
            continue
        seen.add(name)
        found.update(stages[name].sources)
        waiting += [stages[name].base, *stages[name].stages]
    return tuple(sorted(found))


def digest_of_sources(root: Path, paths: Iterable[str]) -> str:
    """SHA-256 over names, modes and contents of files below some paths; what Python compiles is left out."""
    total = hashlib.sha256()
    for path in paths:
        for file in _files(root / path):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            total.update(f"{file.relative_to(root)} {file.stat().st_mode & 0o777:o} {content}\n".encode())
    return total.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for file in sorted(path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file
