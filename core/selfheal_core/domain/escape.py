"""Text from the cluster, made safe for a terminal.

Names, messages and logs are data: a control character, an escape sequence or a bidirectional override in them must be
seen, not obeyed (it could move the cursor, forge a line, or reorder what is read).
"""

import re
import unicodedata

_TAB_WIDTH = 4
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def printable(text: str, *, limit: int | None = None, strip_colour: bool = False, keep_lines: bool = False) -> str:
    r"""Make every character that a terminal would obey visible.

    ``\x1b[31m`` becomes ``␛[31m``, other C0 controls their control picture (``␀``), a line break ``␊``, a tab and other
    kinds of space spaces; everything else that Unicode does not call printable (C1 controls, bidirectional overrides,
    zero-width and unassigned characters) becomes its number, ``\u202e``. Square brackets and all other printable text
    stay as they are, so the result still has to be drawn as plain text, never as markup.

    Args:
        text: Anything, from anywhere.
        limit: Longest result in characters; a longer one ends in ``…``. None for no limit.
        strip_colour: Drop SGR colour sequences instead of showing them (for log lines).
        keep_lines: Leave line feeds in, for text that is drawn line by line.
    """
    if limit is not None:
        # Keeps the work on a hostile megabyte bounded; only colour sequences are removed, so this much is enough.
        text = text[: limit * 64 + 64]
    if strip_colour and "\x1b" in text:
        text = _COLOUR.sub("", text)
    if not text.isprintable():
        kept = "\n" if keep_lines else ""
        text = "".join(each if each.isprintable() or each == kept else _shown(each) for each in text)
    if limit is not None and len(text) > limit:
        return text[: max(0, limit - 1)] + "…"
    return text


def _shown(character: str) -> str:
    """What stands for a character that Unicode does not count as printable."""
    code = ord(character)
    if character == "\t":
        return " " * _TAB_WIDTH
    if unicodedata.category(character) == "Zs":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def cells(text: str) -> int:
    """Width of printable text in terminal cells: wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
