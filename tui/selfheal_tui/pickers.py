"""What is chosen from a list: the namespace, the cluster, a command, what to break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from selfheal_core.domain.escape import printable
from selfheal_core.errors import SelfhealError
from selfheal_tui.commands import View, commands_of, key_name
from selfheal_tui.present.picker import PickerItem
from selfheal_tui.screens.frame import Ask
from selfheal_tui.screens.tables import TableScreen

if TYPE_CHECKING:
    from selfheal_tui.app import SelfhealApp

ALL = "all namespaces"
NAMES_SECONDS = 5.0
"""How long the palette waits for names from the cluster; the commands are there at once."""


class Pickers:
    """Lists to choose from, and what a choice leads to.

    Args:
        app: The console.
    """

    def __init__(self, app: SelfhealApp) -> None:
        self._app = app
        self._session = app.session

    def offer(self, title: str, items: Sequence[PickerItem], take_typed: Callable[[str], None] | None = None) -> None:
        """Show a list."""
        from selfheal_tui.screens.picker import PickerDialog

        self._app.push_screen(PickerDialog(self._session, title, items, take_typed))

    # Namespaces

    async def namespace(self) -> None:
        """Offer the namespaces; where they can't be listed, those that are seen, and any that is typed."""
        try:
            names = await self._app.feed.known_namespaces()
        except SelfhealError as error:
            self._session.say(f"{error}. Type the name of one.", "warn")
            self.offer("Namespace", self._namespaces(self._seen_namespaces()), self.choose_namespace)
        else:
            self.offer("Namespace", self._namespaces(names))

    def _seen_namespaces(self) -> tuple[str, ...]:
        return tuple(sorted({key.namespace for key in self._session.snapshot.applications}))

    def _namespaces(self, names: Sequence[str]) -> list[PickerItem]:
        counts: dict[str, int] = {}
        for key in self._session.snapshot.applications:
            counts[key.namespace] = counts.get(key.namespace, 0) + 1
        scope = self._app.feed.surroundings.namespaces

        def remark(name: str) -> str:
            # Of a namespace that is not looked at nothing is known, which is not the same as no applications.
            return _applications(counts.get(name, 0)) if not scope or name in scope else ""

        return [
            PickerItem(ALL, "", partial(self.choose_namespace, ALL)),
            *(PickerItem(name, remark(name), partial(self.choose_namespace, name)) for name in names),
        ]

    def choose_namespace(self, name: str) -> None:
        """Look at one namespace or at all; what runs here is asked about first."""
        wanted = () if name == ALL else (name,)
        if wanted == self._app.feed.surroundings.namespaces:
            self._session.say(f"Looking at {name} already.", "dim")
        else:
            self._unless_running(name, lambda: self._app.spawn(self._go_to_namespaces(name, wanted)))

    async def _go_to_namespaces(self, name: str, wanted: tuple[str, ...]) -> None:
        for operation in self._session.running():
            await operation.cancel()
        self._session.forget_data()
        await self._app.feed.choose_namespaces(wanted)
        self._session.say(f"Looking at {name}.", "dim")

    # Contexts

    async def context(self) -> None:
        """Offer the contexts of the kubeconfig."""
        self.offer("Context", await self._contexts())

    async def _contexts(self) -> list[PickerItem]:
        here = self._app.feed.surroundings.context
        offered = await self._app.feed.contexts()
        return [
            PickerItem(
                each.name,
                f"{'here; ' if each.name == here else ''}{each.remark}",
                partial(self.choose_context, each.name),
            )
            for each in offered
        ]

    def choose_context(self, name: str) -> None:
        """Look at another cluster; what runs here is asked about first."""
        if name == self._app.feed.surroundings.context:
            self._session.say(f"Looking at {name} already.", "dim")
        else:
            self._unless_running(name, lambda: self._app.spawn(self._app.switch_context(name)))

    def _unless_running(self, name: str, go: Callable[[], None]) -> None:
        """Go, after a question if an operation runs here: it would not be followed any more."""
        if not self._session.running():
            go()
            return
        from selfheal_tui.screens.dialogs import LeaveDialog

        self._session.dialog_pending = True
        self._app.push_screen(LeaveDialog(self._session, go, f"Leave for {printable(name)}?"))

    # Commands

    def palette(self, view: View, screen: TableScreen[object, object]) -> None:
        """Offer every command of a view, then what the cluster and the kubeconfig have names for."""
        from selfheal_tui.screens.picker import PickerDialog

        dialog = PickerDialog(self._session, "Commands, namespaces, contexts", self._commands(view, screen))
        self._app.push_screen(dialog)
        self._app.spawn(self._add_names(dialog.extend))

    def _commands(self, view: View, screen: TableScreen[object, object]) -> list[PickerItem]:
        items: dict[str, PickerItem] = {}
        for command in commands_of(view, self._session.commands):
            refusal = self._session.refusals.get(command.verb, "") if command.verb else ""
            caution = self._session.cautions.get(command.verb, "") if command.verb else ""
            remark = f"{key_name(command.key)}  {caution or command.sentence}"
            choose = partial(screen.run_command, command)
            items.setdefault(command.title, PickerItem(command.title, remark, choose, refusal))
        return list(items.values())

    async def _add_names(self, extend: Callable[[list[PickerItem]], None]) -> None:
        try:
            contexts = await self._contexts()
        except SelfhealError:
            contexts = []  # `v` tells why; the palette does without
        extend([_named("context", item) for item in contexts])
        try:
            async with asyncio.timeout(NAMES_SECONDS):
                names = await self._app.feed.known_namespaces()
        except (SelfhealError, TimeoutError):
            names = self._seen_namespaces()
        extend([_named("namespace", item) for item in self._namespaces(names)[1:]])

    # Things to break

    def fault(self, message: Ask) -> None:
        """Offer what can be broken, with the layer that heals it."""
        from selfheal_core.ops.faults import FAULTS

        def choose(name: str) -> None:
            self._session.dialog_pending = True
            self._app.on_ask(Ask(message.verb, message.target, {"fault": name}))

        items = [
            PickerItem(fault.title, f"layer {fault.layer}: {fault.heals}", partial(choose, fault.name))
            for fault in FAULTS.values()
        ]
        self.offer(f"Break {printable(message.target.name)}", items)


def _named(kind: str, item: PickerItem) -> PickerItem:
    return PickerItem(f"{kind} {item.name}", item.remark, item.choose, item.refusal)


def _applications(count: int) -> str:
    return f"{count or 'no'} application{'' if count == 1 else 's'}"
