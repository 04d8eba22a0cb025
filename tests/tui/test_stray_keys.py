"""A key that does nothing says so, and where it would do something."""

from collections.abc import Callable

import pytest

from selfheal_tui.commands import View, all_commands
from selfheal_tui.present.footer import stray_key_words
from tests.tui.conftest import Console

MakeConsole = Callable[..., Console]
SIZE = (80, 24)


@pytest.mark.parametrize(
    ("key", "view", "said"),
    [
        ("K", "apps", "K kill pod works on Pods (2), not here."),
        ("x", "history", "x explain works on Apps (1) and Pods (2), not here."),
        ("R", "journal", "R roll back works on Apps (1), Pods (2) and History (3), not here."),
        ("f", "apps", "f follow works on logs and other texts, not here."),
        ("2", "logs", "2 Pods does nothing in this text; esc goes back."),
        ("u", "pods", "u is no key of this console; ? shows those that are."),
        ("f1", "pods", "f1 is no key of this console; ? shows those that are."),
    ],
)
def test_it_names_where_the_key_works(key: str, view: View, said: str) -> None:
    assert stray_key_words(key, view, all_commands()) == said


async def test_it_is_told_at_the_foot_until_the_next_key_and_nothing_is_sent(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("K")
        assert console.screen_lines()[-1].strip() == "K kill pod works on Pods (2), not here."
        await console.press("j")
        assert "not here" not in console.screen_text()
        await console.press("d", "R")
        assert console.screen_lines()[-1].strip() == "R roll back does nothing in this text; esc goes back."
    assert "run" not in {kind for kind, _, _ in console.feed.asked}
