"""What a confirmation dialog says, and what each key does in it: decided here, drawn elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_core.ops.faults import FAULTS
from selfheal_core.ops.operation import FINAL_PHASES, Choice, Preview, Progress
from selfheal_core.ops.registry import VERBS, Verb
from selfheal_tui.present.glyphs import Glyphs, plain
from selfheal_tui.present.spans import BLANK, Line, Span, Tone, line, width_of, wrap

Stage = Literal["computing", "preview", "typing", "typing reason", "countdown", "running", "ended"]
COUNTDOWN_SECONDS = 5
LABEL_WIDTH = 10
LINES_UNDER_WAY = 2
"""Facts of the preview that stay while it runs: from what to what; the room is for the progress."""
STEPS_PER_PHASE = 3
LABEL_LINES = 3
"""Lines that one fact of a preview may take, so that all of them fit on 24 lines."""
LETTER = "y"
"""Confirms where one letter is enough; never Enter, which is Cancel."""
Wish = Literal["none", "close", "confirm", "cancel run", "recompute", "copy", "diff", "remedy"]


@dataclass(frozen=True, slots=True)
class Dialog:
    """State of one confirmation.

    Attributes:
        typed: What was typed so far at this stage.
        notice: What to tell about the last key or about what moved.
        countdown: Whole seconds left before something is sent.
        steps: Progress so far.
    """

    verb: Verb
    stage: Stage = "computing"
    preview: Preview | None = None
    typed: str = ""
    reason: str = ""
    notice: str = ""
    countdown: int = 0
    steps: tuple[Progress, ...] = ()
    started_at: float = 0.0
    choices: dict[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.stage == "ended"


def with_preview(dialog: Dialog, preview: Preview) -> Dialog:
    """The preview was computed."""
    return replace(dialog, stage="preview", preview=preview, typed="", reason="", choices=dict(preview.parameters))


def with_step(dialog: Dialog, step: Progress) -> Dialog:
    """The operation went one step on; a refusal because the world moved asks for a new preview."""
    stage: Stage = "ended" if step.phase in FINAL_PHASES else "running"
    return replace(dialog, stage=stage, steps=(*dialog.steps, step))


def press(dialog: Dialog, key: str, character: str | None) -> tuple[Dialog, Wish]:
    """What a key does. Esc is always safe, Enter is Cancel unless the asked word was typed.

    Args:
        dialog: State so far.
        key: Name of the key.
        character: What it types, if it types something.
    """
    if key in ("escape", "ctrl+c"):
        return _escape(dialog)
    handlers = {
        "computing": _press_while_computing,
        "preview": _press_in_preview,
        "typing": _press_while_typing,
        "typing reason": _press_while_typing,
        "countdown": _press_in_countdown,
        "running": _press_while_running,
        "ended": _press_at_end,
    }
    handler = handlers.get(dialog.stage)
    return handler(dialog, key, character) if handler else (dialog, "none")


def _escape(dialog: Dialog) -> tuple[Dialog, Wish]:
    if dialog.stage in ("typing", "typing reason", "countdown"):
        return replace(dialog, stage="preview", typed="", reason="", notice="Nothing was sent.", countdown=0), "none"
    return dialog, "close"


def _press_while_computing(dialog: Dialog, key: str, _character: str | None) -> tuple[Dialog, Wish]:
    return dialog, "close" if key == "enter" else "none"


def _press_in_preview(dialog: Dialog, key: str, character: str | None) -> tuple[Dialog, Wish]:
    preview = dialog.preview
    assert preview is not None
    if key == "enter":
        return dialog, "close"
    if character == "d":
        return (dialog, "diff") if preview.diff else (replace(dialog, notice="There is no diff to show."), "none")
    if character == "c" and not preview.same_as:
        return replace(dialog, notice="There is no command that does the same."), "none"
    if character == "c":
        return replace(dialog, notice=f"Copied: {preview.same_as}"), "copy"
    if key in ("up", "down", "left", "right") or character in ("j", "k"):
        return _choose(dialog, 1 if key in ("down", "right") or character == "j" else -1)
    if preview.refusal:
        return replace(dialog, notice="It can't be done now; esc goes back."), "none"
    return _begin_confirmation(dialog, preview, character)


def _begin_confirmation(dialog: Dialog, preview: Preview, character: str | None) -> tuple[Dialog, Wish]:
    asked = preview.confirmation
    if asked in ("type name", "type context") and character == "t":
        return replace(dialog, stage="typing", typed="", notice=""), "none"
    if asked == "letter" and character == LETTER:
        return replace(dialog, stage="running", notice=""), "confirm"
    if asked in ("countdown", "none") and character == LETTER:
        return replace(dialog, stage="countdown", countdown=COUNTDOWN_SECONDS, notice=""), "none"
    hint = "t goes on" if asked in ("type name", "type context") else f"{LETTER} goes on"
    return replace(dialog, notice=f"Nothing was sent: {hint}, esc cancels."), "none"


def _choose(dialog: Dialog, step: int) -> tuple[Dialog, Wish]:
    preview = dialog.preview
    assert preview is not None
    for name, choices in preview.choices.items():
        values = [choice.value for choice in choices]
        if len(values) > 1:
            chosen = dialog.choices.get(name, preview.parameters.get(name, values[0]))
            at = values.index(chosen) if chosen in values else 0
            picked = {**dialog.choices, name: values[(at + step) % len(values)]}
            return replace(dialog, stage="computing", choices=picked, notice=""), "recompute"
    return replace(dialog, notice="There is nothing to choose here."), "none"


def _press_while_typing(dialog: Dialog, key: str, character: str | None) -> tuple[Dialog, Wish]:
    if key == "enter":
        return _entered(dialog)
    if key == "backspace":
        return replace(dialog, typed=dialog.typed[:-1], notice=""), "none"
    if key == "ctrl+u":
        return replace(dialog, typed="", notice=""), "none"
    if character and character.isprintable():
        return replace(dialog, typed=dialog.typed + character, notice=""), "none"
    return dialog, "none"


def _entered(dialog: Dialog) -> tuple[Dialog, Wish]:
    preview = dialog.preview
    assert preview is not None
    if dialog.stage == "typing reason":
        if len(dialog.typed.strip()) < 3:
            return replace(dialog, notice="Say in a few words why; it goes into the journal."), "none"
        return replace(dialog, stage="running", reason=dialog.typed.strip(), notice=""), "confirm"
    if dialog.typed != preview.confirm_word:
        given = f"“{dialog.typed}” is not “{preview.confirm_word}”" if dialog.typed else "Nothing was typed"
        return replace(dialog, typed="", notice=f"{given}: nothing was sent. Type it again, or esc."), "none"
    if preview.confirmation == "type context":
        return replace(dialog, stage="typing reason", typed="", notice=""), "none"
    return replace(dialog, stage="running", notice=""), "confirm"


def pasted(dialog: Dialog, text: str) -> Dialog:
    """Add pasted text to what is typed: its first line only, and never an Enter."""
    if dialog.stage not in ("typing", "typing reason"):
        return dialog
    first = printable(text.splitlines()[0] if text else "", limit=200)
    return replace(dialog, typed=dialog.typed + first, notice="")


def _press_in_countdown(dialog: Dialog, key: str, character: str | None) -> tuple[Dialog, Wish]:
    if character == "z" or key == "enter":
        return replace(dialog, stage="preview", countdown=0, notice="Cancelled; nothing was sent."), "none"
    return dialog, "none"


def tick(dialog: Dialog) -> tuple[Dialog, Wish]:
    """One second of the countdown passed."""
    if dialog.stage != "countdown":
        return dialog, "none"
    if dialog.countdown > 1:
        return replace(dialog, countdown=dialog.countdown - 1), "none"
    return replace(dialog, stage="running", countdown=0), "confirm"


def remedy(dialog: Dialog) -> Verb | None:
    """The verb that heals what is being broken here on purpose, where that is left to the operator."""
    fault = FAULTS.get(dialog.choices.get("fault", ""))
    return VERBS[fault.remedy] if fault is not None and fault.remedy else None


def _press_while_running(dialog: Dialog, _key: str, character: str | None) -> tuple[Dialog, Wish]:
    healing = remedy(dialog)
    if healing is not None and character == healing.key:
        return dialog, "remedy"
    if character == "z":
        return replace(
            dialog, notice="Asked to stop before its next write; a write under way ends first."
        ), "cancel run"
    return replace(dialog, notice="It is running: z asks it to stop, esc leaves it running and goes back."), "none"


def _press_at_end(dialog: Dialog, key: str, character: str | None) -> tuple[Dialog, Wish]:
    return dialog, "close" if key == "enter" or character in ("q", " ") else "none"


def dialog_lines(dialog: Dialog, width: int, glyphs: Glyphs, now: float) -> list[Line]:
    """The dialog's content, each line at most ``width`` cells."""
    body: list[Line] = []
    if dialog.preview is None:
        body.append(line(Span("Computing what it would do …", "dim")))
    else:
        body += _preview_lines(dialog, dialog.preview, width)
    if dialog.steps or dialog.stage in ("running", "ended"):
        body += [BLANK, *_progress_lines(dialog, width, now)]
    body.append(BLANK)
    body += _prompt_lines(dialog, width)
    if dialog.notice:
        body += wrap(line(Span(printable(dialog.notice), "warn")), width)
    return [tuple(Span(plain(s.text, glyphs), s.tone) for s in spans) for spans in body]


def _preview_lines(dialog: Dialog, preview: Preview, width: int) -> list[Line]:
    lines: list[Line] = []
    if dialog.stage == "computing":
        lines += [line(Span("Computing what it would do …", "dim"))]
    under_way = dialog.stage in ("running", "ended")
    for label, text in preview.lines[:LINES_UNDER_WAY] if under_way else preview.lines:
        lines += _labelled(printable(label), printable(text), width)
    if under_way:
        return lines
    for name, choices in preview.choices.items():
        lines += _choice_line(name, choices, dialog, width)
    if preview.same_as:
        lines += _labelled("Same as", printable(preview.same_as), width, "key")
    if preview.refusal:
        gap = [BLANK] if lines else []
        lines += [*gap, *wrap(line(Span(f"Can't be done now: {printable(preview.refusal)}", "bad")), width)]
    return lines


def _labelled(label: str, text: str, width: int, tone: Tone = "plain") -> list[Line]:
    name = f"{label[:1].upper()}{label[1:]} ".ljust(LABEL_WIDTH)
    rows = wrap(line(Span(name, "dim"), Span(text, tone)), width, " " * LABEL_WIDTH)
    if len(rows) <= LABEL_LINES:
        return rows
    return [*rows[: LABEL_LINES - 1], line(Span(f"{' ' * LABEL_WIDTH}… more in the full diff", "dim"))]


def _choice_line(name: str, choices: Sequence[Choice], dialog: Dialog, width: int) -> list[Line]:
    """Which of several values is chosen; the lines above say what it means."""
    if len(choices) < 2:
        return []
    values = [choice.value for choice in choices]
    chosen = dialog.choices.get(name, "")
    at = values.index(chosen) if chosen in values else 0
    advice = ", recommended" if choices[at].recommended else ""
    text = line(
        Span(f"{name.capitalize()} ".ljust(LABEL_WIDTH), "dim"),
        Span(printable(chosen), "title"),
        Span(f"  {at + 1} of {len(choices)}{advice}; ", "dim"),
        Span("arrows", "key"),
        Span(" choose another", "dim"),
    )
    return wrap(text, width, " " * LABEL_WIDTH)


_PHASE_TONES: dict[str, Tone] = {
    "recovered": "ok",
    "not verified": "bad",
    "refused": "warn",
    "failed": "bad",
    "cancelled": "warn",
}


def _progress_lines(dialog: Dialog, width: int, now: float) -> list[Line]:
    lines: list[Line] = []
    for step in _newest_of_each_phase(dialog.steps):
        tone = _PHASE_TONES.get(step.phase, "plain")
        phase = outcome(step) if step.final else f"{step.phase} "
        took = words.length(max(0.0, step.at - dialog.started_at))
        lines += wrap(
            line(
                Span(f"{took:>6}  ", "dim"),
                Span(phase, tone),
                Span(printable(step.text), tone if step.final else "plain"),
            ),
            width,
            " " * 8,
        )
        if step.next_step:
            lines += wrap(line(Span(f"        Next: {printable(step.next_step)}", "warn")), width, " " * 8)
    if dialog.stage == "running":
        passed = words.length(max(0.0, now - dialog.started_at)) if dialog.started_at else "0s"
        lines.append(line(Span(f"{passed:>6}  …", "dim")))
    return lines


def _newest_of_each_phase(steps: Sequence[Progress]) -> list[Progress]:
    """Steps without the older ones of a long run in one phase; what is left fits on a small screen."""
    kept: list[Progress] = []
    for index, step in enumerate(steps):
        later = steps[index + 1 : index + 1 + STEPS_PER_PHASE]
        if len(later) < STEPS_PER_PHASE or any(other.phase != step.phase for other in later):
            kept.append(step)
    return kept


def outcome(step: Progress) -> str:
    """``FAILED `` in front of a last step's words; "" where they begin with it already."""
    word = step.phase.upper()
    return "" if step.text.startswith(word) else f"{word} "


def _prompt_lines(dialog: Dialog, width: int) -> list[Line]:
    cancel = Span("[ Cancel ]", "title")
    preview = dialog.preview
    if dialog.stage == "computing" or preview is None:
        return [line(cancel, Span("  esc", "dim"))]
    if dialog.stage in ("typing", "typing reason"):
        word = preview.confirm_word if dialog.stage == "typing" else "why"
        ask = f"Type {printable(word)}, then Enter, to {dialog.verb.title}: "
        return wrap(line(Span(ask), Span(f"{printable(dialog.typed)}_", "title")), width)
    if dialog.stage == "countdown":
        return [
            line(
                Span(f"Starts in {dialog.countdown} s. ", "warn"),
                Span("z", "key"),
                " or esc cancels; nothing is sent before.",
            )
        ]
    if dialog.stage == "running":
        healing = remedy(dialog)
        heal = (Span(healing.key, "key"), f" {healing.title}   ") if healing is not None else ()
        return [line(*heal, Span("z", "key"), " stop   ", Span("esc", "key"), " back to the screen; it goes on")]
    if dialog.stage == "ended":
        return [line(Span("[ Back ]", "title"), Span("  enter or esc", "dim"))]
    if preview.refusal:
        return [line(cancel, Span("  enter or esc", "dim"))]
    go_on, extras = line(cancel, "    ", *_go_on(dialog, preview)), _extras(preview)
    if width_of(go_on) + width_of(extras) <= width:
        return [(*go_on, *extras)]
    return [*wrap(go_on, width, " " * LABEL_WIDTH), *wrap(extras, width)]


def _go_on(dialog: Dialog, preview: Preview) -> Line:
    if preview.confirmation in ("type name", "type context"):
        what = "name" if preview.confirmation == "type name" else "context and a reason"
        return (Span("t", "key"), Span(f" type the {what} to go on"))
    return (Span(LETTER, "key"), Span(f" {dialog.verb.title}"))


def _extras(preview: Preview) -> Line:
    """Keys that only look, each with a gap before it."""
    keys = [("d", "full diff")] if preview.diff else []
    keys += [("c", "copy")] if preview.same_as else []
    return tuple(piece for key, title in keys for piece in (Span("   "), Span(key, "key"), Span(f" {title}", "dim")))


def headline(dialog: Dialog, name: str) -> str:
    """Title of the dialog's frame.

    Args:
        dialog: Its state.
        name: Of the target, which is known before the preview is.
    """
    preview = dialog.preview
    if preview is None or (preview.refusal and not preview.lines):
        return printable(doing(dialog.verb, name), limit=120)
    return printable(preview.title, limit=120)


def doing(verb: Verb, name: str) -> str:
    """What is done to what, as a headline: ``Roll back app-a``, ``Break app-a``."""
    return f"{verb.title.removesuffix(' something').capitalize()} {name}"


def summary(dialog: Dialog) -> str:
    """One line about the operation for the tabs line: ``rollback app-a: verifying``."""
    target = printable(dialog.preview.target.name if dialog.preview else "", limit=30)
    phase = dialog.steps[-1].phase if dialog.steps else dialog.stage
    return f"{dialog.verb.name} {target}: {phase}"
