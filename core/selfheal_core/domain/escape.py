"""Text from the cluster, made safe for a terminal.

Names, messages and logs are data: a control character, an escape sequence or a bidirectional override in them must be
seen, not obeyed (it could move the cursor, forge a line, or reorder what is read).
"""

import re
import unicodedata

_TAB_WIDTH = 4
_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_MARKS = frozenset({"Mn", "Me", "Mc"})
_MARKS_PER_CHARACTER = 2
"""More than any script needs in composed form; a pile of them would be drawn over the lines above and below."""
_CONTESTED = re.compile(
    "[\u0600-\u0605\u06dd\u070f"  # signs that enclose the digits after them
    "\u1160-\u11ff\ud7b0-\ud7ff\u3164\uffa0"  # Korean vowels and finals by themselves, and fillers
    "\u2630-\u2637\u268a-\u268f\u4dc0-\u4dff\U0001d300-\U0001d37f"  # symbols that Unicode 16 made wide
    "\ufe00-\ufe0f\U000e0100-\U000e01ef\U00016fe4"  # selectors of another form of the character before
    "\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]"  # halves of flags, and skin colours
)
"""Printable characters of which terminals disagree how many cells they take.

The vowel signs of Indic scripts (category Mc) are left out: they are what those languages are written with, and at
worst the rest of one line is moved by a cell.
"""


def printable(text: str, *, limit: int | None = None, strip_colour: bool = False) -> str:
    r"""Make every character that a terminal would obey visible.

    ``\x1b[31m`` becomes ``␛[31m``, other C0 controls their control picture (``␀``), a line break ``␊``, a tab and other
    kinds of space spaces; everything else that Unicode does not call printable (C1 controls, bidirectional overrides,
    zero-width and unassigned characters) becomes its number, ``\u202e``. So do characters whose width depends on the
    terminal, and accents without a letter or in piles, since they would shift or cover what stands beside them.
    Letters with accents are composed (NFC). Square brackets and all other printable text stay as they are, so the
    result still has to be drawn as plain text, never as markup.

    Args:
        text: Anything, from anywhere.
        limit: Longest result in characters; a longer one ends in ``…``. None for no limit.
        strip_colour: Drop SGR colour sequences instead of showing them (for log lines).
    """
    if limit is not None:
        # Keeps the work on a hostile megabyte bounded; only colour sequences are removed, so this much is enough.
        text = text[: limit * 64 + 64]
    if strip_colour and "\x1b" in text:
        text = _COLOUR.sub("", text)
    if not text.isprintable():
        text = "".join(each if each.isprintable() else _shown(each) for each in text)
    if not text.isascii():
        text = _aligned(unicodedata.normalize("NFC", text))
    if limit is not None and len(text) > limit:
        return text[: max(0, limit - 1)] + "…"
    return text


def _aligned(text: str) -> str:
    """The same text without anything that would take another number of cells in another terminal."""
    text = _CONTESTED.sub(lambda found: _number(found[0]), text)
    kept: list[str] = []
    room = 0
    for character in text:
        if unicodedata.category(character) not in _MARKS:
            kept.append(character)
            room = _MARKS_PER_CHARACTER if character.isalnum() else 0
        else:
            kept.append(character if room else _number(character))
            room = max(0, room - 1)
    return "".join(kept)


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
    return _number(character)


def _number(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def json_printable(text: str) -> str:
    r"""The same JSON with everything that a terminal would obey written as its number: ``\u202e``.

    Args:
        text: JSON; only inside its strings can there be characters that are not ASCII.
    """
    return text if text.isprintable() else _NOT_PLAIN.sub(_json_number, text)


def _json_number(found: "re.Match[str]") -> str:
    """Printable characters of other scripts stay; above U+FFFF JSON needs a pair."""
    character = found[0]
    if character.isprintable():
        return character
    encoded = character.encode("utf-16-be", "replace")
    return "".join(f"\\u{encoded[at : at + 2].hex()}" for at in range(0, len(encoded), 2))


def cells(text: str) -> int:
    """Width of what ``printable`` returns in terminal cells: wide East Asian characters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
