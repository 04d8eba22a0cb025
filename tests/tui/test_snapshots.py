"""Pictures of the screens: a change of what an operator sees is seen in review."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from selfheal_tui.picture import draw, self_contained
from tests.tui.conftest import Console

SIZES = ((80, 24), (120, 40))
SnapCompare = Callable[..., bool]


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize(
    "keys",
    [(), ("2",), ("3",), ("?",), ("enter", "d"), ("p",), ("R",), ("/", *"state:crash"), ("n",)],
    ids=["apps", "pods", "history", "help", "describe", "logs", "rollback", "filter", "namespace"],
)
def test_screen(
    snap_compare: SnapCompare, make_console: Callable[..., Console], keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    console = make_console()

    async def drive(_: Pilot[None]) -> None:
        await console.settle()
        for key in keys:
            await console.press(key)

    assert snap_compare(console.app, terminal_size=size, run_before=drive)


async def test_the_picture_in_the_docs_is_what_the_console_draws() -> None:
    committed = Path(__file__).parents[2] / "docs" / "console.svg"
    drawn = self_contained(await draw())
    assert committed.read_text(encoding="utf-8") == drawn, "draw it anew with: make picture"
