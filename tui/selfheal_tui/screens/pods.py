"""Tab 2: pods, of everything or of one application."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import parse_filter
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import AppKey, PodRow
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.commands import View
from selfheal_tui.navigation import Tab
from selfheal_tui.present.detail import DetailFacts, pod_detail
from selfheal_tui.present.kubectl import shell_into
from selfheal_tui.present.pods import pods_table
from selfheal_tui.present.spans import Line
from selfheal_tui.present.tables import TableSpec
from selfheal_tui.screens.tables import TableScreen
from selfheal_tui.session import Session


class PodsScreen(TableScreen[Uid, PodRow]):
    """Pods."""

    view: ClassVar[View] = "pods"
    tab: Tab = "pods"

    def __init__(self, session: Session) -> None:
        self._wide = False
        super().__init__(session)

    def spec(self) -> TableSpec[PodRow]:
        """Columns of pods."""
        return pods_table(self.session.glyphs, all_namespaces=self.session.all_namespaces, wide=self._wide)

    def rows(self) -> Mapping[Uid, PodRow]:
        """All pods in scope, or those of the application that was opened."""
        snapshot = self.session.snapshot
        if self.place.application is None:
            return snapshot.pods
        app = snapshot.applications.get(self.place.application)
        return {uid: snapshot.pods[uid] for uid in app.pods if uid in snapshot.pods} if app else {}

    def reader(self, text: str) -> Callable[[PodRow, float], bool]:
        """The filter language of pods."""
        return parse_filter(text).matches

    def detail_lines(self, row: PodRow) -> list[Line]:
        """What is wrong with it, where it is, what it said."""
        session = self.session
        said = session.last_words(self.evidence_pod(row)) or ""
        facts = DetailFacts(session.clock(), session.snapshot.controller, said, session.keys)
        return pod_detail(row, session.snapshot.applications.get(row.app), facts, session.glyphs)

    def detail_title(self, row: PodRow) -> str:
        """The pod's name in full."""
        return printable(row.name)

    def target_of(self, row: PodRow, verb: str) -> Target | None:
        """The pod, the first marked one if there are marks, or for verbs on applications the one it belongs to."""
        if VERBS[verb].target_kind == "pod":
            pod = next(iter(self.marked()), row)
            return Target("pod", pod.namespace, pod.name, pod.app.name, pod.uid)
        return Target("application", row.app.namespace, row.app.name, row.app.name)

    def parameters_of(self, row: PodRow, verb: str) -> dict[str, str]:  # noqa: ARG002 - the marks are what counts
        """Several marked pods are killed together."""
        marked = self.marked()
        return {"pods": ",".join(pod.uid for pod in marked)} if verb == "kill" and len(marked) > 1 else {}

    def evidence_pod(self, row: PodRow) -> PodRow | None:
        """The pod itself, once it has a run before this one."""
        return row if row.restarts and row.severity != "ok" else None

    def kubectl_command(self, row: PodRow) -> str:
        """A shell in it."""
        where = self.session.feed.surroundings
        return shell_into(row, where.context, where.kubeconfig)

    def application_of(self, row: PodRow) -> AppKey:
        """The application it belongs to."""
        return row.app

    def do_enter(self) -> None:
        """To everything known of it."""
        self.run_command(self._commands["d"])

    def refresh_data(self) -> None:
        """Marks of pods that are gone mean nothing any more."""
        known = self.session.snapshot.pods
        for uid in [uid for uid in self.table.marks if uid not in known]:
            del self.table.marks[uid]
        super().refresh_data()

    def marked(self) -> list[PodRow]:
        """The marked pods as they are now, in the order in which they were marked, those hidden by a filter too."""
        known = self.session.snapshot.pods
        return [known[uid] for uid in self.table.marks if uid in known]

    def do_mark(self) -> None:
        """Mark the selected pod or take its mark away, and go on to the next."""
        if self.table.cursor is not None:
            self.table.mark(self.table.cursor)
            self._move(1)

    def do_wide(self) -> None:
        """Other columns."""
        self._wide = not self._wide
        self.table.use(self.spec())
        first = ("track and last exit", "node, address and use")
        self.session.say(f"Where room is short, {first[self._wide]} come first.", "dim")
