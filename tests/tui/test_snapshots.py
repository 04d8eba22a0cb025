"""Pictures of the screens: a change of what an operator sees is seen in review."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from selfheal_core.ops.journal import Entry, Step
from selfheal_tui.picture import draw, self_contained
from selfheal_tui.showcase import NOW, SURROUNDINGS, ShowcaseFeed
from tests.tui.conftest import Console

SIZES = ((80, 24), (120, 40), (200, 50))
SnapCompare = Callable[..., bool]
SCREENS: dict[str, tuple[str, ...]] = {
    "apps": (),
    "pods": ("2",),
    "history": ("3",),
    "journal": ("8",),
    "help": ("?",),
    "describe": ("enter", "d"),
    "logs": ("p",),
    "explain": ("2", "x"),
    "rollback": ("R",),
    "filter": ("/", *"state:crash"),
    "marks": ("2", " ", " "),
    "namespace": ("n",),
    "context": ("v",),
    "palette": (":",),
    "break": ("B",),
}
"""Keys that lead to each screen."""


def journal() -> tuple[Entry, ...]:
    """A rollback that helped, and a kill that was refused."""

    def entry(operation: str, step: Step, verb: str, phase: str, age: float, text: str, reason: str = "") -> Entry:
        place = (verb, "payments", "app-a", text, "ops", "bastion", "console", "prod-eu")
        return Entry(NOW - age, operation, step, *place, reason, phase)

    return (
        entry("a1", "intent", "rollback", "pending", 90_000, "Roll back app-a in payments on prod-eu"),
        entry("a1", "verification", "rollback", "recovered", 89_920, "RECOVERED in 1m14s: 2 of 2 ready"),
        entry("b2", "intent", "kill", "pending", 61, "Kill pod app-a-7d9f8c6b5d-x2x9k", "it hangs"),
        entry("b2", "refused", "kill", "refused", 60, "its disruption budget refuses: allows 0", "it hangs"),
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(
    snap_compare: SnapCompare, make_console: Callable[..., Console], screen: str, size: tuple[int, int]
) -> None:
    where = replace(SURROUNDINGS, sandbox=screen == "break")
    console = make_console(ShowcaseFeed(entries=journal(), surroundings=where))

    async def drive(_: Pilot[None]) -> None:
        await console.settle()
        for key in SCREENS[screen]:
            await console.press(key)

    assert snap_compare(console.app, terminal_size=size, run_before=drive)


async def test_the_picture_in_the_docs_is_what_the_console_draws() -> None:
    committed = Path(__file__).parents[2] / "docs" / "console.svg"
    drawn = self_contained(await draw())
    assert committed.read_text(encoding="utf-8") == drawn, "draw it anew with: make picture"
