"""Print where helm and kubectl are: ``python -m selfheal_sandbox.tools`` gives one ``NAME=PATH`` a line,
``python -m selfheal_sandbox.tools helm`` the path alone. ``helm@3.17`` is that version, whatever PATH has, and
``--every-version`` takes every version that the tests use into the cache. ``prometheus`` and ``promtool`` are known
too.
"""

import sys
from pathlib import Path

from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.prometheus import PROGRAMS
from selfheal_sandbox.tools.prometheus import resolve as resolve_prometheus
from selfheal_sandbox.tools.resolve import exactly, resolve
from selfheal_sandbox.tools.versions import PINNED, TOOLS, pinned

EVERY_VERSION = "--every-version"


def main() -> None:
    """Find or fetch the tools and print their paths; exit code 1 when one cannot be had, 2 for an unknown name."""
    try:
        sys.stdout.write("".join(f"{line}\n" for line in answer(sys.argv[1:])))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except FetchError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def answer(arguments: list[str]) -> list[str]:
    """Return the lines to print.

    Raises:
        FetchError: a tool cannot be had.
        ValueError: a tool or version is unknown.
    """
    if arguments == [EVERY_VERSION]:
        return [f"{tool.name}@{tool.version}={exactly(tool)}" for tool in PINNED]
    if arguments:
        return [str(found_for(argument)) for argument in arguments]
    return [f"{name}={path}" for name, path in resolve(TOOLS).items()]


def found_for(argument: str) -> Path:
    """Return the path of ``NAME``, which may be on PATH, or of ``NAME@VERSION``, which is the pinned one.

    Raises:
        FetchError: it cannot be had.
        ValueError: it is unknown.
    """
    if argument in PROGRAMS:
        return resolve_prometheus(argument)
    tool = pinned(argument)
    return exactly(tool) if "@" in argument else resolve((tool,))[tool.name]


if __name__ == "__main__":
    main()
