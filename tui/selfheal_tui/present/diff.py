"""A difference, and an object as YAML, as texts to read."""

from selfheal_core.domain.escape import printable
from selfheal_tui.present.spans import Line, Span, Tone, line


def diff_lines(diff: str) -> list[Line]:
    """A unified diff, added and removed lines in their tones; the signs are there without colour too."""
    return [line(Span(printable(text), _tone(text))) for text in diff.splitlines()] or [line("No difference.")]


def _tone(text: str) -> Tone:
    if text.startswith(("+++", "---", "@@")):
        return "dim"
    if text.startswith("+"):
        return "ok"
    return "bad" if text.startswith("-") else "plain"
