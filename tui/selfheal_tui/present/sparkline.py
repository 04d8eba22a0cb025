"""Small charts out of one line of characters."""

from collections.abc import Sequence

from selfheal_tui.present.glyphs import Glyphs


def sparkline(values: Sequence[float | None], width: int, glyphs: Glyphs, *, top: float | None = None) -> str:
    """Draw the newest values as bars, right-aligned.

    Args:
        values: Oldest first; None is a gap, drawn as one.
        width: Cells; one value takes one.
        glyphs: Where the bars come from.
        top: The value that fills a cell; the largest one shown by default.

    Returns:
        Exactly ``width`` cells.
    """
    shown = list(values[-width:]) if width > 0 else []
    known = [value for value in shown if value is not None]
    highest = top if top is not None else max(known, default=0.0)
    return "".join(_bar(value, highest, glyphs) for value in shown).rjust(width)


def _bar(value: float | None, highest: float, glyphs: Glyphs) -> str:
    if value is None:
        return glyphs.gap
    if value <= 0 or highest <= 0:
        return glyphs.bars[0]
    steps = len(glyphs.bars) - 1
    return glyphs.bars[max(1, min(steps, round(value / highest * steps)))]
