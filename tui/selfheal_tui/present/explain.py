"""What healerd would decide about something now, gate by gate, what it did, and the next step, as a text to read."""

from collections.abc import Mapping

from selfheal_cli import words
from selfheal_cli.explanation import NOTHING_DONE, Deed, Explanation, GateWords, Sign
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import Severity
from selfheal_tui.present.detail import step_line
from selfheal_tui.present.glyphs import TONE_OF_SEVERITY, Glyphs, plain
from selfheal_tui.present.spans import BLANK, Line, Span, line

SEVERITY_OF_SIGN: Mapping[Sign, Severity] = {"open": "ok", "closed": "warn", "unknown": "unknown"}
SIGN_WIDTH = 8
DEFAULT_LIMITS = "healerd's own settings can't be read here, so these are its default limits."


def explanation_lines(
    about: Explanation, now: float, glyphs: Glyphs, *, observed: bool, keys: Mapping[str, str]
) -> list[Line]:
    """Draw an explanation.

    Args:
        about: What there is to say.
        now: Seconds since the epoch.
        glyphs: Signs to draw with.
        observed: Whether the limits are healerd's own, not the default ones.
        keys: What to press instead of a built-in key, where a keymap says so.
    """
    lines = [line(Span("Now", "title")), line("  ", Span(printable(about.decision), "plain"))]
    if about.gates:
        lines += [BLANK, line(Span("Gates, in their order; one that is closed holds the removal back", "title"))]
        lines += [_gate(gate, glyphs) for gate in about.gates]
    if not observed:
        lines.append(line(Span(f"  {DEFAULT_LIMITS}", "dim")))
    lines += [BLANK, line(Span("What healerd did or held back, newest first", "title"))]
    lines += [_deed(deed, now) for deed in about.deeds] or [line(Span(f"  {words.sentence(NOTHING_DONE)}", "dim"))]
    if about.change:
        lines += [BLANK, line(Span("What changed before", "title")), line("  ", printable(about.change))]
    lines += [BLANK, step_line(about.step, keys)]
    return [tuple(Span(plain(span.text, glyphs), span.tone) for span in spans) for spans in lines]


def _gate(gate: GateWords, glyphs: Glyphs) -> Line:
    severity = SEVERITY_OF_SIGN[gate.sign]
    sign = Span(f"  {glyphs.of(severity)} {gate.sign.ljust(SIGN_WIDTH)}", TONE_OF_SEVERITY[severity])
    return line(sign, gate.question, Span(f": {printable(gate.reason)}" if gate.reason else "", "dim"))


def _deed(deed: Deed, now: float) -> Line:
    when = Span(f"  {words.moment(deed.at)} ({words.age(deed.at, now)} ago)  ", "dim")
    return line(when, Span(printable(deed.verb), "title"), f"  {printable(deed.sentence)}")
