"""Pieces of text with a tone: what the screens are made of, before any terminal knows of it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from selfheal_core.domain.escape import cells

Tone = Literal["plain", "title", "ok", "info", "warn", "bad", "unknown", "dim", "key", "off"]
"""What a piece of text means. ``dim`` is secondary, ``off`` can't be used now; colour is chosen by the widgets."""


class Span(NamedTuple):
    """A run of text in one tone. The text is safe for a terminal already."""

    text: str
    tone: Tone = "plain"


Line = tuple[Span, ...]
"""One line of a screen, as far as it is wide; the widget crops and pads it."""

BLANK: Line = ()


def line(*parts: Span | str) -> Line:
    """A line of spans; a plain string is a span in the plain tone."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def text_of(spans: Line) -> str:
    """The words of a line without their tones."""
    return "".join(span.text for span in spans)


def width_of(spans: Line) -> int:
    """Cells a line takes."""
    return sum(cells(span.text) for span in spans)


def wrap(spans: Line, width: int, indent: str = "") -> list[Line]:
    """Break a line between words so that it fits, keeping tones.

    Args:
        spans: One line.
        width: Cells available; a longer word is cut into pieces.
        indent: Put before every line but the first.

    Returns:
        At least one line.
    """
    room = max(1, width)
    done: list[Line] = []
    current: list[Span] = []
    used = 0
    for word, tone in _pieces(spans, max(1, room - len(indent))):
        if used + cells(word.rstrip()) > room and used > len(indent):
            done.append(_joined([*current[:-1], current[-1]._replace(text=current[-1].text.rstrip())]))
            current = [Span(indent)] if indent else []
            used = len(indent)
            if not word.strip():
                continue
        current.append(Span(word, tone))
        used += cells(word)
    done.append(_joined(current))
    return done


def fit_paragraphs(paragraphs: Sequence[Line], width: int, height: int, indent: str, ellipsis: str) -> list[Line]:
    """Wrap several lines so that together they take at most a number of rows; the last one is never cut.

    Rows are taken from the longest paragraphs first, so that each still says how it begins.

    Args:
        paragraphs: Unwrapped lines, in order of reading.
        width: Cells of a row.
        height: Rows available.
        indent: Put before every row of a paragraph but its first.
        ellipsis: Ends a paragraph that was cut.
    """
    wrapped = [wrap(spans, width, indent) for spans in paragraphs]
    room = [len(rows) for rows in wrapped]
    while sum(room) > height and any(rows > 1 for rows in room[:-1]):
        longest = max(range(len(room) - 1), key=lambda index: room[index])
        room[longest] -= 1
    fitted: list[Line] = []
    for rows, kept in zip(wrapped, room, strict=True):
        shown = rows[:kept]
        if kept < len(rows):
            shown[-1] = (*crop(shown[-1], width - 2), Span(f" {ellipsis}"))
        fitted += shown
    return fitted


def crop(spans: Line, width: int) -> Line:
    """The part of a line that fits."""
    kept: list[Span] = []
    room = width
    for span in spans:
        text = span.text
        while cells(text) > room:
            text = text[:-1]
        if text:
            kept.append(Span(text, span.tone))
        room -= cells(text)
    return tuple(kept)


def _joined(spans: list[Span]) -> Line:
    """Neighbours of one tone as one span: fewer runs are fewer bytes to a terminal."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].tone == span.tone:
            joined[-1] = Span(joined[-1].text + span.text, span.tone)
        else:
            joined.append(span)
    return tuple(joined)


def _pieces(spans: Line, longest: int) -> list[tuple[str, Tone]]:
    """Words with the blanks that follow them, none longer than ``longest``."""
    pieces: list[tuple[str, Tone]] = []
    for span in spans:
        start = 0
        text = span.text
        for index, character in enumerate(text):
            ends_word = character == " " and index + 1 < len(text) and text[index + 1] != " "
            if ends_word or index + 1 - start >= longest:
                pieces.append((text[start : index + 1], span.tone))
                start = index + 1
        if start < len(text):
            pieces.append((text[start:], span.tone))
    return pieces
