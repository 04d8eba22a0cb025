"""The last guard of a terminal that shows ASCII only: whatever was drawn, nothing else is sent to it.

The screens draw with ASCII signs there; but names and log lines from the cluster may hold anything.
"""

from collections.abc import Mapping

from selfheal_core.domain.escape import cells

SIGNS: Mapping[str, str] = {"·": "-", "→": ">", "–": "-", "—": "-", "…": "~", "“": '"', "”": '"', "‘": "'", "’": "'"}
UNKNOWN = "?"


class AsciiTable(dict[int, str]):
    """For ``str.translate``: each character becomes as many ASCII characters as it takes cells."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        found = character if code < 128 else SIGNS.get(character, UNKNOWN * cells(character))
        self[code] = found
        return found


TABLE = AsciiTable()


def to_ascii(text: str) -> str:
    """The same text in ASCII, as wide as before."""
    return text if text.isascii() else text.translate(TABLE)
