"""What the console does for keys that no single screen knows: reading, scope, help, leaving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import Event
from selfheal_core.domain.snapshot import Application, PodRow
from selfheal_core.ops.operation import Target
from selfheal_tui.commands import Command, View
from selfheal_tui.pickers import ALL, Pickers
from selfheal_tui.present.logs import LogRequest, pods_to_read
from selfheal_tui.present.spans import Line, Span, line
from selfheal_tui.screens.tables import TableScreen

if TYPE_CHECKING:
    from selfheal_tui.app import SelfhealApp


class Actions:
    """One key's work.

    Args:
        app: The console.
    """

    def __init__(self, app: SelfhealApp) -> None:
        self._app = app
        self._session = app.session
        self._pickers = Pickers(app)

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
        from selfheal_tui.screens.pods import PodsScreen

        screen = self._app.screen
        if pod is not None:
            return (screen.marked() if isinstance(screen, PodsScreen) else []) or [pod]
        pods = self._session.snapshot.pods
        return [pods[uid] for uid in app.pods if uid in pods] if app is not None else []

    # Reading

    def open_logs(self, *, previous: bool) -> None:
        """Logs of the selected pod, or of all pods of the selected application."""
        app, pod = self._selected()
        chosen = self._pods(app, pod)
        pods = [each for each in chosen if each.namespace == chosen[0].namespace]
        names = pods_to_read(pods, previous=previous)
        if not names:
            if pods:
                self._session.say("No pod here has restarted, so there is no previous run. l shows the present one.")
            elif app is not None:
                self._session.say("It has no pods, so there are no logs.")
            return
        from selfheal_tui.screens.pager import LogsScreen

        apps = ", ".join(dict.fromkeys(each.app.name for each in pods))
        title = f"Logs of {names[0] if len(names) == 1 else f'{apps}, {len(names)} pods'}"
        request = LogRequest(pods[0].namespace, names, previous=previous)
        if len(names) < len(chosen) and not previous:
            self._session.say(f"{len(names)} of {len(chosen)} pods are read: those of one namespace, the worst first.")
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
        """What healerd would decide about the selection now, what it did, and why."""
        app, pod = self._selected()
        if app is not None:
            self._app.spawn(self._explain(app, pod))

    async def _explain(self, app: Application, pod: PodRow | None) -> None:
        from selfheal_cli.explanation import explain_application, explain_pod
        from selfheal_tui.present.explain import explanation_lines

        policy, observed = await self._app.feed.healing_policy()
        session = self._session

        def text(_width: int) -> list[Line]:
            snapshot, now = session.snapshot, session.clock()
            if pod is not None:
                about = explain_pod(snapshot.pods.get(pod.uid, pod), snapshot, policy, now)
            else:
                about = explain_application(snapshot.applications.get(app.key, app), snapshot, policy, now)
            return explanation_lines(about, now, session.glyphs, observed=observed, keys=session.keys)

        name = f"pod {pod.name}" if pod is not None else app.key.name
        self._app.read(f"healerd and {name}", text, live=True)

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

    def record(self) -> None:
        """The whole record of the operation that is selected in the journal."""
        from selfheal_tui.present.journal import OperationRecord, record_lines

        screen = self._screen()
        row = screen.table.cursor_row if screen is not None else None
        if not isinstance(row, OperationRecord):
            return
        session, key = self._session, row.operation_id

        def text(_width: int) -> list[Line]:
            return record_lines(session.records.get(key, row), session.clock())

        self._app.read(f"Operation {key}: {row.newest.verb} {row.where}", text, live=True)

    def help(self, view: View) -> None:
        """All keys."""
        from selfheal_tui.present.help import help_lines

        session = self._session
        commands, refusals, cautions = session.commands, session.refusals, session.cautions
        self._app.read("Help", lambda width: help_lines(view, commands, refusals, width, cautions), live=False)

    def palette(self, view: View) -> None:
        """All commands by name, and what else has a name."""
        screen = self._screen()
        if screen is not None:
            self._pickers.palette(view, screen)

    def pick_namespace(self) -> None:
        """Offer the namespaces."""
        self._app.spawn(self._pickers.namespace())

    def pick_context(self) -> None:
        """Offer the contexts."""
        self._app.spawn(self._pickers.context())

    def choose_all_namespaces(self) -> None:
        """Look at everything."""
        self._pickers.choose_namespace(ALL)

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
    "context": lambda actions, _: actions.pick_context(),
    "all_namespaces": lambda actions, _: actions.choose_all_namespaces(),
    "refresh": lambda actions, _: actions.refresh(),
    "enter": lambda actions, _: actions.record(),
    "cancel": lambda actions, _: actions.cancel_pending(),
    "palette": lambda actions, view: actions.palette(view),
    "help": lambda actions, view: actions.help(view),
    "quit": lambda actions, _: actions.leave(),
    "older": lambda actions, _: actions.walk(older=True),
    "newer": lambda actions, _: actions.walk(older=False),
}
"""Commands that no screen does by itself, by id."""
