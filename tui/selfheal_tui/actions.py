"""What the console does for keys that no single screen knows: reading, scope, help, leaving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import Event
from selfheal_core.domain.snapshot import Application, PodRow
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.operation import Target
from selfheal_tui.commands import Command, View, commands_of, key_name
from selfheal_tui.present.logs import LogRequest, pods_to_read
from selfheal_tui.present.spans import Line, Span, line
from selfheal_tui.screens.tables import TableScreen

if TYPE_CHECKING:
    from selfheal_tui.app import SelfhealApp

ALL = "all namespaces"


class Actions:
    """One key's work.

    Args:
        app: The console.
    """

    def __init__(self, app: SelfhealApp) -> None:
        self._app = app
        self._session = app.session

    def do(self, command: Command, view: View) -> None:
        """Do what a command says."""
        SIMPLE_ACTIONS[command.id](self, view)

    # What is selected

    def _screen(self) -> TableScreen[object, object] | None:
        top = self._app.screen
        return top if isinstance(top, TableScreen) else None

    def _selected(self) -> tuple[Application | None, PodRow | None]:
        """The application and, on the pods' tab, the pod under the cursor."""
        screen = self._screen()
        row = screen.table.cursor_row if screen is not None else None
        if screen is None or row is None:
            self._session.say("Nothing is selected.", "warn")
            return None, None
        app = self._session.snapshot.applications.get(screen.application_of(row))
        return app, row if isinstance(row, PodRow) else None

    def _pods(self, app: Application | None, pod: PodRow | None) -> list[PodRow]:
        if pod is not None:
            return [pod]
        pods = self._session.snapshot.pods
        return [pods[uid] for uid in app.pods if uid in pods] if app is not None else []

    # Reading

    def open_logs(self, *, previous: bool) -> None:
        """Logs of the selected pod, or of all pods of the selected application."""
        app, pod = self._selected()
        pods = self._pods(app, pod)
        names = pods_to_read(pods, previous=previous)
        if not names:
            if pods:
                self._session.say("No pod here has restarted, so there is no previous run. l shows the present one.")
            elif app is not None:
                self._session.say("It has no pods, so there are no logs.")
            return
        from selfheal_tui.screens.reading import LogsScreen

        title = f"Logs of {names[0] if len(names) == 1 else f'{pods[0].app.name}, {len(names)} pods'}"
        request = LogRequest(pods[0].namespace, names, previous=previous)
        self._app.push_screen(LogsScreen(self._session, title, self._session.trail.here.tab, request))

    def describe(self) -> None:
        """Everything known of the selection."""
        app, pod = self._selected()
        if pod is not None:
            self._app.spawn(self._describe_pod(pod))
        elif app is not None:
            from selfheal_tui.present.describe import describe_application

            key = app.key

            def text(_width: int) -> list[Line]:
                newest = self._session.snapshot.applications.get(key)
                if newest is None:
                    return [line(Span(f"{printable(key.name)} is gone.", "warn"))]
                return describe_application(
                    newest, self._pods(newest, None), self._session.clock(), self._session.glyphs
                )

            self._app.read(f"Application {key.name}", text, live=True)

    async def _describe_pod(self, pod: PodRow) -> None:
        from selfheal_tui.present.describe import describe_pod

        raw = await self._app.feed.read_object(_target(pod))
        session = self._session

        def text(_width: int) -> list[Line]:
            row = session.snapshot.pods.get(pod.uid)
            gone = [line(Span("This pod is gone; what follows was its last state.", "warn"))] if row is None else []
            app = session.snapshot.applications.get(pod.app)
            events = [event for event in app.events if event.involved_object.uid == pod.uid] if app else []
            return gone + describe_pod(raw, row or pod, events, session.clock(), session.glyphs)

        self._app.read(f"Pod {pod.name}", text, live=True)

    def explain(self) -> None:
        """What healerd did about the selection."""
        from selfheal_tui.present.describe import explain_lines

        session = self._session
        self._about_events(
            "healerd and", lambda name, events, now: explain_lines(name, events, session.snapshot.controller, now)
        )

    def events(self) -> None:
        """Events about the selection."""
        from selfheal_tui.present.describe import event_lines

        glyphs = self._session.glyphs
        self._about_events("Events of", lambda _name, events, now: event_lines(events, now, glyphs)[2:])

    def _about_events(self, title: str, compose: Callable[[str, list[Event], float], list[Line]]) -> None:
        app, pod = self._selected()
        if app is None:
            return
        name = pod.name if pod is not None else app.key.name
        key = app.key

        def text(_width: int) -> list[Line]:
            newest = self._session.snapshot.applications.get(key)
            events = list(newest.events) if newest else []
            chosen = [event for event in events if pod is None or event.involved_object.uid == pod.uid]
            return compose(name, chosen, self._session.clock())

        self._app.read(f"{title} {name}", text, live=True)

    def yaml(self) -> None:
        """The selection as the API server has it."""
        app, pod = self._selected()
        if app is not None or pod is not None:
            self._app.spawn(self._yaml(_target(pod) if pod is not None else _application_target(app)))

    async def _yaml(self, target: Target) -> None:
        from selfheal_tui.present.yaml_text import yaml_lines

        raw = await self._app.feed.read_object(target)
        self._app.read(f"YAML of {target.name}", lambda _width: yaml_lines(raw), live=False)

    def journal(self) -> None:
        """What was asked for and done."""
        self._app.spawn(self._journal())

    async def _journal(self) -> None:
        from selfheal_tui.present.help import journal_lines

        entries = await self._app.feed.journal()
        self._app.read("Journal", lambda _width: journal_lines(entries), live=False)

    def help(self, view: View) -> None:
        """All keys."""
        from selfheal_tui.present.help import help_lines

        session = self._session
        self._app.read("Help", lambda width: help_lines(view, session.commands, session.refusals, width), live=False)

    def palette(self, view: View) -> None:
        """All commands by name."""
        from selfheal_tui.screens.dialogs import PickDialog

        commands = {command.title: command for command in commands_of(view, self._session.commands)}
        choices = [(title, f"{key_name(command.key)}  {command.sentence}") for title, command in commands.items()]
        screen = self._screen()
        if screen is not None:
            self._app.push_screen(
                PickDialog(self._session, "Commands", choices, lambda title: screen.run_command(commands[title]))
            )

    # Scope

    def pick_namespace(self) -> None:
        """Offer the namespaces."""
        self._app.spawn(self._pick_namespace())

    async def _pick_namespace(self) -> None:
        from selfheal_tui.screens.dialogs import PickDialog

        counts: dict[str, int] = {}
        for app in self._session.snapshot.applications:
            counts[app.namespace] = counts.get(app.namespace, 0) + 1
        try:
            names = await self._app.feed.known_namespaces()
        except SelfhealError as error:
            names = tuple(sorted(counts))
            self._session.say(str(error), "warn")
        choices = [(ALL, "")] + [(name, _applications(counts.get(name, 0))) for name in names]

        self._app.push_screen(PickDialog(self._session, "Namespace", choices, self.choose_namespace))

    def choose_namespace(self, name: str) -> None:
        """Look at one namespace or at all."""
        self._app.spawn(self._choose_namespace(name))

    async def _choose_namespace(self, name: str) -> None:
        wanted = () if name == ALL else (name,)
        if wanted == self._app.feed.surroundings.namespaces:
            self._session.say(f"Looking at {name} already.", "dim")
            return
        self._session.forget_data()
        await self._app.feed.choose_namespaces(wanted)
        self._session.say(f"Looking at {name}.", "dim")

    def cancel_pending(self) -> None:
        """Stop what was confirmed and has not ended."""
        self._app.cancel_pending()

    def walk(self, *, older: bool) -> None:
        """Back or forth through the places visited."""
        self._app.spawn(self._app.walk(older=older))

    def leave(self) -> None:
        """Leave, after a question if something runs."""
        self._app.ask_to_leave()

    def refresh(self) -> None:
        """Try lost connections again."""
        self._app.feed.wake()
        self._session.say("Trying lost connections again.", "dim")


def _applications(count: int) -> str:
    return f"{count or 'no'} application{'' if count == 1 else 's'}"


def _target(pod: PodRow) -> Target:
    return Target("pod", pod.namespace, pod.name, pod.app.name, pod.uid)


def _application_target(app: Application | None) -> Target:
    assert app is not None
    return Target("application", app.key.namespace, app.key.name, app.key.name)


SIMPLE_ACTIONS: Mapping[str, Callable[[Actions, View], None]] = {
    "logs": lambda actions, _: actions.open_logs(previous=False),
    "previous": lambda actions, _: actions.open_logs(previous=True),
    "describe": lambda actions, _: actions.describe(),
    "explain": lambda actions, _: actions.explain(),
    "events": lambda actions, _: actions.events(),
    "yaml": lambda actions, _: actions.yaml(),
    "namespace": lambda actions, _: actions.pick_namespace(),
    "all_namespaces": lambda actions, _: actions.choose_namespace(ALL),
    "refresh": lambda actions, _: actions.refresh(),
    "journal": lambda actions, _: actions.journal(),
    "cancel": lambda actions, _: actions.cancel_pending(),
    "palette": lambda actions, view: actions.palette(view),
    "help": lambda actions, view: actions.help(view),
    "quit": lambda actions, _: actions.leave(),
    "older": lambda actions, _: actions.walk(older=True),
    "newer": lambda actions, _: actions.walk(older=False),
}
"""Commands that no screen does by itself, by id."""
