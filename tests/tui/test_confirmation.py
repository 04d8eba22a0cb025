"""Nothing is sent without the asked confirmation, whatever is pressed; esc is always safe."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal_core.ops.operation import Choice, Impact, Preview, Progress, Target
from selfheal_core.ops.registry import find_verb
from selfheal_tui.present.confirmation import (
    COUNTDOWN_SECONDS,
    Dialog,
    dialog_lines,
    headline,
    pasted,
    press,
    tick,
    with_preview,
    with_step,
)
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.present.spans import text_of, width_of
from selfheal_tui.showcase import NOW

TARGET = Target("application", "payments", "app-a", "app-a")


def preview(impact: Impact = Impact.ONE_APPLICATION, **more: object) -> Preview:
    word = "prod-eu" if impact is Impact.MANY else "app-a"
    lines = (("from", "revision 7"), ("to", "revision 6"), ("now", "1 of 2 ready"))
    plain = Preview("rollback", TARGET, impact, "Roll back app-a", lines, "helm rollback app-a 6", {}, word)
    return replace(plain, **more)  # type: ignore[arg-type]


def opened(impact: Impact = Impact.ONE_APPLICATION, **more: object) -> Dialog:
    return with_preview(Dialog(find_verb("rollback")), preview(impact, **more))


def typed(dialog: Dialog, *keys: str) -> tuple[Dialog, list[str]]:
    wishes: list[str] = []
    for key in keys:
        dialog, wish = press(dialog, key, key if len(key) == 1 else None)
        wishes.append(wish)
    return dialog, wishes


def words(dialog: Dialog, width: int = 74) -> str:
    return "\n".join(text_of(spans) for spans in dialog_lines(dialog, width, UNICODE, NOW))


def test_enter_on_a_fresh_dialog_is_cancel() -> None:
    assert typed(opened(), "enter")[1] == ["close"]


def test_typing_the_name_and_enter_confirms() -> None:
    dialog, wishes = typed(opened(), "t", *"app-a", "enter")
    assert wishes[-1] == "confirm"
    assert dialog.stage == "running"


@pytest.mark.parametrize("wrong", ["", "app-b", "APP-A", "app-a ", "app", "yes", "y"])
def test_enter_on_anything_else_does_nothing_but_say_so(wrong: str) -> None:
    dialog, wishes = typed(opened(), "t", *wrong, "enter")
    assert "confirm" not in wishes
    assert "nothing was sent" in dialog.notice


def test_many_things_ask_for_the_context_and_a_reason() -> None:
    dialog, wishes = typed(opened(Impact.MANY), "t", *"prod-eu", "enter")
    assert "confirm" not in wishes
    dialog, wishes = typed(dialog, "enter")
    assert "confirm" not in wishes
    dialog, wishes = typed(dialog, *"bad release", "enter")
    assert wishes[-1] == "confirm"
    assert dialog.reason == "bad release"


def test_one_letter_confirms_one_step_and_it_is_not_enter() -> None:
    assert typed(opened(Impact.ONE_STEP), "enter")[1] == ["close"]
    assert typed(opened(Impact.ONE_STEP), "y")[1] == ["confirm"]


def test_nothing_is_sent_before_a_countdown_reaches_zero_and_z_stops_it() -> None:
    dialog, _ = typed(opened(Impact.UNDOABLE), "y")
    for _ in range(COUNTDOWN_SECONDS - 1):
        dialog, wish = tick(dialog)
        assert wish == "none"
    stopped, _ = typed(dialog, "z")
    assert tick(stopped)[1] == "none"
    assert "nothing was sent" in stopped.notice
    assert tick(dialog)[1] == "confirm"


def test_pasting_never_presses_enter_and_only_works_where_a_word_is_asked_for() -> None:
    assert pasted(opened(), "app-a\n") == opened()
    dialog, _ = typed(opened(), "t")
    after = pasted(dialog, "app-a\nrm -rf /\n")
    assert after.stage == "typing"
    assert after.typed == "app-a"


def test_a_refused_preview_can_only_be_closed() -> None:
    dialog, wishes = typed(opened(refusal="stale data"), "t", "y", *"app-a", "enter")
    assert "confirm" not in wishes
    assert "Can't be done now: stale data" in words(dialog)


def test_a_refusal_without_facts_is_the_first_thing_that_is_read() -> None:
    dialog = opened(refusal="there is nothing to go back to", lines=(), same_as="")
    assert words(dialog).startswith("Can't be done now: there is nothing to go back to")


def test_the_title_names_the_target_before_the_preview_is_computed() -> None:
    assert headline(Dialog(find_verb("rollback")), "app-a") == "Roll back app-a"
    assert headline(Dialog(find_verb("break")), "app-a") == "Break app-a"


def test_many_things_are_asked_for_by_what_has_to_be_typed_and_keys_are_never_torn_apart() -> None:
    dialog = opened(Impact.MANY, diff="-a\n+b")
    assert "t type the context and a reason to go on" in words(dialog)
    for width in range(30, 80):
        rows = [row.strip() for row in words(dialog, width).splitlines()]
        assert not any(row.endswith(("   d", "   c")) or row in ("d", "c") for row in rows)


def test_arrows_choose_another_target_and_ask_for_a_new_preview() -> None:
    choices = {"revision": (Choice("6", "revision 6", True), Choice("5", "revision 5"))}
    dialog, wishes = typed(opened(parameters={"revision": "6"}, choices=choices), "down")
    assert wishes == ["recompute"]
    assert dialog.choices == {"revision": "5"}
    assert dialog.stage == "computing"


def broken(fault: str) -> Dialog:
    choices = (Choice(fault, fault),)
    asked = preview(Impact.ONE_STEP, verb="break", parameters={"fault": fault}, choices={"fault": choices})
    return typed(with_preview(Dialog(find_verb("break")), asked), "y")[0]


def test_what_a_person_has_to_heal_is_one_key_away_while_it_is_watched() -> None:
    assert "R roll back" in words(broken("bad-release"))
    assert typed(broken("bad-release"), "R")[1] == ["remedy"]


def test_what_heals_by_itself_offers_no_verb() -> None:
    assert "R roll back" not in words(broken("crash"))
    assert typed(broken("crash"), "R")[1] == ["none"]
    assert typed(typed(opened(), "t", *"app-a", "enter")[0], "R")[1] == ["none"]


def test_while_running_esc_leaves_it_running_and_z_asks_it_to_stop() -> None:
    running, _ = typed(opened(), "t", *"app-a", "enter")
    assert typed(running, "escape")[1] == ["close"]
    assert typed(running, "z")[1] == ["cancel run"]


def test_progress_is_told_with_times_and_the_next_step() -> None:
    dialog = replace(typed(opened(), "t", *"app-a", "enter")[0], started_at=NOW)
    dialog = with_step(dialog, Progress("op", "accepted", "by the server", NOW + 0.2))
    text = "NOT VERIFIED after 5m: 1 of 2 ready"
    dialog = with_step(dialog, Progress("op", "not verified", text, NOW + 300, "look at its pods"))
    said = words(dialog)
    assert dialog.ended
    assert "0.2s  accepted by the server" in said
    assert "5m  NOT VERIFIED after 5m: 1 of 2 ready" in said
    assert "Next: look at its pods" in said


@pytest.mark.parametrize("impact", list(Impact)[1:])
def test_no_line_of_a_dialog_is_longer_than_its_box(impact: Impact) -> None:
    lines = tuple((label, "so many words that they take more than a line of the dialog " * 2) for label in "abcdefgh")
    choices = {"revision": tuple(Choice(str(n), f"revision {n}") for n in range(9))}
    dialog = opened(impact, lines=lines, choices=choices, diff="-a", parameters={"revision": "3"})
    assert all(width_of(row) <= 72 for row in dialog_lines(dialog, 72, UNICODE, NOW))


keys = st.sampled_from(
    ["enter", "escape", "backspace", "ctrl+u", "up", "down", "tab", "ctrl+c", *"tyzdcqRKTappx- \n"],
)


@given(st.sampled_from([Impact.ONE_APPLICATION, Impact.MANY]), st.lists(keys, max_size=40))
def test_no_run_of_keys_confirms_without_the_word(impact: Impact, pressed: list[str]) -> None:
    dialog = opened(impact, confirm_word="quite another word")
    assert "confirm" not in typed(dialog, *pressed)[1]


@given(st.sampled_from(list(Impact)[1:]), st.lists(keys, max_size=20))
def test_two_escapes_lead_out_of_any_state_without_sending(impact: Impact, pressed: list[str]) -> None:
    dialog, wishes = typed(opened(impact), *pressed)
    if "confirm" not in wishes:
        assert "confirm" not in typed(dialog, "escape", "escape")[1]
        assert typed(dialog, "escape", "escape")[1][-1] == "close"
