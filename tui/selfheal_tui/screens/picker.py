"""A box to choose one of many in: namespaces, contexts, commands, containers, things to break."""

from collections.abc import Callable, Sequence

from selfheal_core.domain.escape import printable
from selfheal_tui.present.line_edit import edit
from selfheal_tui.present.picker import PickerItem, matching, picker_lines
from selfheal_tui.present.spans import Line
from selfheal_tui.screens.dialogs import Overlay
from selfheal_tui.session import Session


class PickerDialog(Overlay):
    """One of many, by typing a part of its name.

    Args:
        session: What all screens share.
        title: What is chosen.
        items: What there is to choose; more may come.
        take_typed: Takes a name that is not among them, where there may be such names; None otherwise.
    """

    def __init__(
        self, session: Session, title: str, items: Sequence[PickerItem], take_typed: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(session)
        self._title = title
        self._items = list(items)
        self._take_typed = take_typed
        self._typed = ""
        self._at = 0

    def extend(self, items: Sequence[PickerItem]) -> None:
        """More came in; the one that Enter would choose stays the same."""
        before = self._found()
        self._items += items
        if before:
            self._at = self._found().index(before[min(self._at, len(before) - 1)])
        self.draw()

    def _found(self) -> list[PickerItem]:
        return matching(self._items, self._typed)

    def content(self, width: int) -> tuple[str, list[Line]]:
        """What was typed, and what matches."""
        found = self._found()
        count = f"{len(found)} of {len(self._items)}; arrows and enter choose, esc goes back"
        if self._take_typed is not None and not found and self._typed:
            count = f"enter takes “{printable(self._typed)}” as typed, esc goes back"
        return self._title, picker_lines(found, self._at, self._typed, count, width, self.session.glyphs)

    def take(self, key: str, character: str | None) -> None:
        """Type, move, choose."""
        found = self._found()
        if key in ("escape", "ctrl+c"):
            self.dismiss()
        elif key == "enter":
            self.dismiss()
            self._choose(found)
        elif key in ("up", "down", "ctrl+p", "ctrl+n"):
            step = 1 if key in ("down", "ctrl+n") else -1
            self._at = max(0, min(self._at + step, len(found) - 1))
        else:
            self._typed = edit(self._typed, key, character)
            self._at = 0
        self.draw()

    def _choose(self, found: list[PickerItem]) -> None:
        typed = self._typed.strip()
        if not found and self._take_typed is not None and typed:
            self._take_typed(typed)
        elif found and found[self._at].refusal:
            self.session.say(f"{found[self._at].name}: not now, {found[self._at].refusal}", "warn")
        elif found:
            found[self._at].choose()
