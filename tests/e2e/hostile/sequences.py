"""Takes apart what a program sends to a terminal: text, and what the terminal would obey."""

import base64
import re
from typing import NamedTuple

from tests.e2e.hostile.attacks import NUMBER

OBEYED = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequence
    r"|\x1b[]PX^_].*?(?:\x07|\x1b\\|\x9c)"  # a string: operating system command, device control, ...
    r"|\x1b[ -/]*[0-~]"  # other escapes
    r"|[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]",  # what is one by itself
    re.DOTALL,
)
DRAWING = re.compile(
    r"\x1b\[[0-9;]*m"  # colours, bold
    r"|\x1b\[[0-9;]*[HABCDGJKd]"  # to a place; erase from there
    r"|\x1b\[\?[0-9;]+[hl]"  # modes: other screen, cursor, focus, paste, wrapping, synchronised output
    r"|\x1b\[\?(?:2026|2048)\$p"  # asks for two of them
    r"|\x1b\[>[0-9]+u|\x1b\[<u"  # keyboard protocol
    r"|\x1b\]22;[a-z]*(?:\x07|\x1b\\)"  # shape of the pointer
    r"|[\r\n]"
)
"""All that Textual sends to draw."""
CLIPBOARD = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
MARKER = re.compile(r"zq\d{4}qz")
FORGED = {NUMBER, "198.51.100.7"}


class Sent(NamedTuple):
    """What a program sent.

    Attributes:
        text: All that is drawn.
        obeyed: Everything else, in order.
    """

    text: str
    obeyed: list[str]

    @property
    def forbidden(self) -> list[str]:
        """What no drawing needs, and what holds something of an attack."""
        return [each for each in self.obeyed if not DRAWING.fullmatch(each) or _is_forged(each)]

    @property
    def copied(self) -> list[str]:
        """Texts put into the clipboard."""
        found = (CLIPBOARD.fullmatch(each) for each in self.obeyed)
        return [base64.b64decode(match[1]).decode() for match in found if match]


def take_apart(data: bytes) -> Sent:
    """Split a program's output.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    text = data.decode()
    return Sent(OBEYED.sub("", text), OBEYED.findall(text))


def obeyed_in_text(data: bytes) -> list[str]:
    """What a terminal would obey in the output of a command without colours: anything but line feeds."""
    return [each for each in take_apart(data).obeyed if each != "\n"]


def _is_forged(sequence: str) -> bool:
    return bool(MARKER.search(sequence)) or any(each in sequence for each in FORGED)
