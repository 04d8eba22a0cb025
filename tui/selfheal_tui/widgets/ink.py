"""Tones become terminal styles, lines become strips. Sixteen colours and the plain attributes, nothing else."""

from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from selfheal_core.domain.escape import printable
from selfheal_tui.present.spans import Line, Tone

STYLES: Mapping[Tone, Style] = {
    "plain": Style(),
    "title": Style(bold=True),
    "ok": Style(color="green"),
    "info": Style(color="cyan"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "unknown": Style(color="magenta"),
    "dim": Style(dim=True),
    "key": Style(color="cyan", bold=True),
    "off": Style(dim=True, strike=True),
}


@lru_cache(maxsize=128)
def style_of(tone: Tone, dimmed: bool = False, reverse: bool = False) -> Style:
    """The style of a tone.

    Args:
        tone: What the text means.
        dimmed: Drawn on data that is no longer live.
        reverse: Under the cursor; reverse video shows without any colour.
    """
    style = STYLES[tone]
    if reverse:
        # Dim text in reverse video is unreadable in many terminals.
        return Style(color=style.color, bold=style.bold, reverse=True)
    return style + Style(dim=True) if dimmed else style


def to_strip(spans: Line, width: int, *, dimmed: bool = False, reverse: bool = False) -> Strip:
    """Draw a line, cropped or padded to exactly ``width`` cells.

    Text is made printable where it is worded; it is looked at once more here, because nothing may be missed.
    """
    segments: list[Segment] = []
    used = 0
    for text, tone in spans:
        room = width - used
        if room <= 0:
            break
        drawn = text if text.isprintable() else printable(text)
        fitted = drawn if cell_len(drawn) <= room else set_cell_size(drawn, room)
        if fitted:
            segments.append(Segment(fitted, style_of(tone, dimmed, reverse)))
            used += cell_len(fitted)
    if used < width:
        segments.append(Segment(" " * (width - used), style_of("plain", False, reverse)))
    return Strip(segments, width)
