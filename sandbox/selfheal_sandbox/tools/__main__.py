"""Print where helm and kubectl are: ``python -m selfheal_sandbox.tools`` gives one ``NAME=PATH`` a line,
``python -m selfheal_sandbox.tools helm`` the path alone.
"""

import sys

from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.resolve import resolve
from selfheal_sandbox.tools.versions import TOOLS


def main() -> None:
    """Find or fetch the tools and print their paths; exit code 1 when one cannot be had, 2 for an unknown name."""
    known = {tool.name: tool for tool in TOOLS}
    names = sys.argv[1:]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.stderr.write(f"unknown tool '{unknown[0]}'; known: {', '.join(known)}\n")
        sys.exit(2)
    try:
        found = resolve(tuple(known[name] for name in names) or TOOLS)
    except FetchError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    sys.stdout.write("".join(f"{path}\n" if names else f"{name}={path}\n" for name, path in found.items()))


if __name__ == "__main__":
    main()
