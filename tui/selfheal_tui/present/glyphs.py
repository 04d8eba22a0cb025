"""The few signs that the screens draw, and their plain forms where the locale is not UTF-8.

A sign never stands alone: each state has a sign, a word and a colour, in that order of importance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from selfheal_cli.terminals import is_utf8
from selfheal_core.domain.snapshot import Severity, SourceCondition
from selfheal_tui.present.spans import Tone

GlyphChoice = Literal["auto", "unicode", "ascii"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs, each one cell wide.

    Attributes:
        bars: Eight heights of a sparkline, lowest first.
        gap: A missing sample in a sparkline.
        corners: Top left, top right, bottom left, bottom right of a dialog.
    """

    ok: str
    info: str
    warn: str
    bad: str
    unknown: str
    cursor: str
    dot: str
    ellipsis: str
    arrow: str
    rule: str
    side: str
    corners: tuple[str, str, str, str]
    bars: tuple[str, ...]
    gap: str

    def of(self, severity: Severity) -> str:
        """The sign of a severity."""
        signs: Mapping[Severity, str] = {
            "ok": self.ok,
            "info": self.info,
            "warn": self.warn,
            "bad": self.bad,
            "unknown": self.unknown,
        }
        return signs[severity]


UNICODE = Glyphs(
    ok="●",
    info="◌",
    warn="▲",
    bad="✗",
    unknown="?",
    cursor="▸",
    dot="·",
    ellipsis="…",
    arrow="→",
    rule="─",
    side="│",
    corners=("┌", "┐", "└", "┘"),
    bars=("▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"),
    gap=" ",
)
ASCII = Glyphs(
    ok="o",
    info="~",
    warn="!",
    bad="x",
    unknown="?",
    cursor=">",
    dot="-",
    ellipsis="~",
    arrow=">",
    rule="-",
    side="|",
    corners=("+", "+", "+", "+"),
    bars=("_", ".", ":", "-", "=", "+", "*", "#"),
    gap=" ",
)

TONE_OF_SEVERITY: Mapping[Severity, Tone] = {
    "ok": "ok",
    "info": "info",
    "warn": "warn",
    "bad": "bad",
    "unknown": "unknown",
}
SEVERITY_OF_SOURCE: Mapping[SourceCondition, Severity] = {
    "live": "ok",
    "connecting": "info",
    "stale": "warn",
    "lost": "bad",
    "forbidden": "bad",
    "absent": "unknown",
}


CONSOLE_TERMS = frozenset({"linux", "vt100", "vt102", "vt220"})
"""Terminals with fonts of 256 or 512 signs: UTF-8 or not, a cross or a triangle is an empty box there."""


def choose_glyphs(choice: GlyphChoice, environ: Mapping[str, str]) -> Glyphs:
    """Pick the set of signs that the terminal can show.

    Args:
        choice: ``auto`` goes by the locale, and knows that the Linux console's fonts lack most of these signs.
        environ: Where locale and kind of terminal are looked up.
    """
    if choice != "auto":
        return UNICODE if choice == "unicode" else ASCII
    return UNICODE if is_utf8(environ) and environ.get("TERM", "") not in CONSOLE_TERMS else ASCII


def plain(text: str, glyphs: Glyphs) -> str:
    """Words of ours in the signs of ``glyphs``: ASCII sets get ``-`` for the dot, ``->`` for the arrow."""
    if glyphs is UNICODE:
        return text
    for sign, ascii_form in (("·", "-"), ("→", "->"), ("–", "-"), ("…", "~"), ("“", '"'), ("”", '"')):
        text = text.replace(sign, ascii_form)
    return text


def cut_middle(text: str, width: int, ellipsis: str) -> str:
    """Shorten a name in its middle, so that a pod's suffix stays.

    Args:
        text: A name.
        width: Cells available, at least 1.
        ellipsis: One-cell sign for what was left out.
    """
    if len(text) <= width:
        return text
    tail = min(11, (width - 1) // 2 + 1)
    head = width - 1 - tail
    return text[: max(0, head)] + ellipsis + text[len(text) - tail :] if width > 2 else text[:width]


def cut_end(text: str, width: int, ellipsis: str) -> str:
    """Shorten a text at its end."""
    return text if len(text) <= width else text[: max(0, width - 1)] + ellipsis
