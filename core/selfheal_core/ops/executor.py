"""Runs verbs: allowed -> preview -> run -> verify, each step journalled, with the safety rules in one place."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.freshness import stale_reason
from selfheal_core.errors import BadUsage, ClusterUnreachable, Refused, SelfhealError
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.action import Action, Cancelled, Control, Step, World, check_parameters
from selfheal_core.ops.breaking import ONLY_IN_A_SANDBOX, Break
from selfheal_core.ops.journal import Entry, Journal
from selfheal_core.ops.journal import Step as JournalStep
from selfheal_core.ops.kill import Kill
from selfheal_core.ops.lease import ReleaseLease
from selfheal_core.ops.operation import FINAL_PHASES, Access, Phase, Preview, Progress, Target
from selfheal_core.ops.registry import Verb, find_verb
from selfheal_core.ops.restart import Restart
from selfheal_core.ops.rollback import Rollback

NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
STALE_SECONDS = 120.0
"""Above the API server's bookmark period of about a minute, so that a quiet watch does not count as stale."""
PERMISSION_SECONDS = 300.0
"""How long an answer about our rights is believed."""
UNKNOWN_SECONDS = 30.0
"""How long it is left at not knowing before it is asked again."""
REVIEW_SECONDS = 5.0
"""How long an answer about our rights is waited for."""

ACTIONS: Mapping[str, Action] = MappingProxyType(
    {"rollback": Rollback(), "restart": Restart(), "kill": Kill(), "break": Break()}
)
"""What runs each verb that is built."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, from where: written to the journal and into the Lease."""

    user: str
    host: str
    source: Literal["console", "cli", "healerd"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether a verb can be run on a target now.

    Attributes:
        reason: In words why not; "" if it can.
        caution: What is not known although it may be tried: ``rights unknown: ...``; "" if all is known.
    """

    ok: bool
    reason: str = ""
    caution: str = ""


class Operations:
    """The executor that console and command line share; every write of theirs goes through it.

    Args:
        client: The cluster.
        helm: Finds the helm binary on first use.
        observer: Where fresh data comes from; must be running.
        journal: Where every intent, confirmation, result and verification is written. If it can't be, nothing is done.
        who: Who asks.
        read_only: Refuse every verb, whatever key or command asked for it.
        clock: Seconds since the epoch.
        context: Name of the kubeconfig context; it has to be typed for the costliest verbs.
        sandbox: True in an embedded cluster, where killing one pod costs one letter instead of a typed name.
        stale_seconds: Data older than this is not acted on.
        verify_seconds: How long recovery is waited for.
        steady_seconds: How long it has to last before it is called one: a pod that crashes again is ready for a moment.
    """

    def __init__(
        self,
        client: KubernetesClient,
        helm: Callable[[], Awaitable[Helm]],
        observer: Observer,
        journal: Journal,
        *,
        who: Who,
        read_only: bool,
        clock: Callable[[], float] = time.time,
        context: str = "",
        sandbox: bool = False,
        stale_seconds: float = STALE_SECONDS,
        verify_seconds: float = 300.0,
        steady_seconds: float = 10.0,
    ) -> None:
        self._world = World(client, helm, observer, clock, context, sandbox, read_only, verify_seconds, steady_seconds)
        self._journal = journal
        self._who = who
        self._stale_seconds = stale_seconds
        self._permissions: dict[tuple[Access, str], tuple[float, _Right]] = {}
        self._running: dict[str, Control] = {}

    async def allowed(self, verb: str, target: Target) -> Allowed:
        """Whether the verb can run on the target now: read-only, kind of target, freshness, permission (cached 5 min).

        Cheap after the first call for a namespace; used for dimming keys too.

        Raises:
            BadUsage: The verb does not exist or is not built.
        """
        definition = find_verb(verb)
        reason = self._refusal(definition, target)
        if reason:
            return Allowed(False, reason)
        right = await self._right(definition, target.namespace)
        return Allowed(not right.missing, right.missing, right.unknown)

    async def preview(self, verb: str, target: Target, parameters: Mapping[str, str] = NO_PARAMETERS) -> Preview:
        """Compute what the verb would do now.

        A verb that can't run comes back with ``Preview.refusal`` set, not as an exception.

        Raises:
            BadUsage: The verb or a parameter does not exist, or the target is of the wrong kind.
        """
        definition = find_verb(verb)
        if target.kind != definition.target_kind:
            raise BadUsage(f"{verb} is for one {definition.target_kind}, not for one {target.kind}")
        action = ACTIONS[verb]
        check_parameters(action, verb, parameters)
        preview = _bound_to(self._world.context, await action.preview(self._world, target, parameters))
        if preview.refusal or self._world.read_only:
            return preview
        refusal = await self._no_answer()
        right = await self._right(definition, target.namespace) if not refusal else _Right()
        cautions = (("rights", right.unknown),) if right.unknown else ()
        return replace(preview, refusal=refusal, lines=(*preview.lines, *cautions))

    async def run(self, preview: Preview, *, reason: str = "") -> AsyncGenerator[Progress, None]:
        """Do what a confirmed preview said, step by step, and verify it.

        The preview is computed again first; where a fact of its precondition changed, the run ends with a ``refused``
        step that says what moved. The last step is always final (``Progress.final``). Closing the iterator early
        (``aclose``, or cancelling the task that reads it) ends the operation before its next write.

        Args:
            preview: As confirmed by the operator.
            reason: Why, in the operator's words; kept in the journal.
        """
        control = Control(outdated=lambda: self._outdated(find_verb(preview.verb)))
        operation = _Operation(uuid.uuid4().hex[:12], preview, reason, control)
        self._running[operation.id] = operation.control
        phase: Phase = "pending"
        try:
            # Closed here and now, also when the caller leaves early: that is what gives the lease back.
            async with aclosing(self._steps(operation)) as steps:
                async for step in steps:
                    phase = step.phase
                    yield self._progress(operation, step)
        except (asyncio.CancelledError, GeneratorExit):
            if phase not in FINAL_PHASES:
                self._note(operation, "result", f"given up while {phase}; what was already sent stays", "cancelled")
            raise
        finally:
            del self._running[operation.id]

    async def cancel(self, operation_id: str) -> bool:
        """Ask a running operation to stop before its next write; False if it is not running any more."""
        control = self._running.get(operation_id)
        if control is None:
            return False
        control.stop = "cancelled by the operator"
        return True

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the operations under way, for the question before leaving."""
        return tuple(self._running)

    def _refusal(self, verb: Verb, target: Target) -> str:
        """Why a verb is out of the question, as far as that can be said without asking the server."""
        if self._world.read_only:
            return "this console is read-only"
        if verb.practice and not self._world.sandbox:
            return ONLY_IN_A_SANDBOX
        if target.kind != verb.target_kind:
            return f"{verb.title} is for one {verb.target_kind}"
        outdated = self._outdated(verb)
        return f"no changes on old data: {outdated}" if outdated else ""

    def _outdated(self, verb: Verb) -> str:
        return stale_reason(self._world.observer.snapshot(), verb.sources, self._stale_seconds, self._world.clock())

    async def _no_answer(self) -> str:
        """Why the cluster can't be asked now; a watch that was cut may take seconds to say so."""
        try:
            await self._world.client.server_version()
        except ClusterUnreachable as error:
            return error.what
        except SelfhealError:
            return ""  # It answered, if only to refuse this question.
        return ""

    async def _right(self, verb: Verb, namespace: str) -> "_Right":
        """Whether we may do all that a verb needs; the first right that is missing, else one that is not known."""
        unknown = _Right()
        for access in verb.needs:
            right = await self._may(access, namespace)
            if right.missing:
                return right
            unknown = right if right.unknown else unknown
        return unknown

    async def _may(self, access: Access, namespace: str) -> "_Right":
        now = self._world.clock()
        known = self._permissions.get((access, namespace))
        if known is not None and now - known[0] < known[1].lasts_seconds:
            return known[1]
        right = await self._review(access, namespace)
        self._permissions[access, namespace] = (now, right)
        return right

    async def _review(self, access: Access, namespace: str) -> "_Right":
        """Ask the server; where it refuses the question itself, what it refuses is seen when it is tried."""
        try:
            async with asyncio.timeout(REVIEW_SECONDS):
                may = await self._world.client.may(access, namespace)
        except TimeoutError:
            why = f"rights unknown: no answer within {REVIEW_SECONDS:.0f} s whether we may {access}"
            return _Right(unknown=why, lasts_seconds=UNKNOWN_SECONDS)
        except ClusterUnreachable as error:
            return _Right(missing=f"it is not known whether we may {access}: {error.what}", lasts_seconds=0)
        except SelfhealError as error:
            why = f"rights unknown: the server does not say whether we may {access} ({error.what})"
            return _Right(unknown=why, lasts_seconds=UNKNOWN_SECONDS)
        return _Right() if may else _Right(missing=f"not allowed to {access} in namespace {namespace}")

    async def _steps(self, operation: "_Operation") -> AsyncGenerator[Step, None]:
        """Every step of a run; refusals and errors become the final one."""
        try:
            yield Step("pending", operation.preview.title)
            self._write(operation, "intent", operation.preview.title, "pending")
            preview = await self._confirmed(operation)
            self._write(operation, "confirmation", _facts(preview), "accepted")
            async with AsyncExitStack() as stack:
                await self._take_lease(operation, preview, stack)
                yield Step("accepted", "the preview still holds")
                steps = await stack.enter_async_context(
                    aclosing(ACTIONS[preview.verb].perform(self._world, preview, operation.control))
                )
                async for step in steps:
                    self._note_step(operation, step)
                    yield step
        except Cancelled as error:
            self._note(operation, "result", str(error), "cancelled")
            yield Step("cancelled", f"{error}; nothing more was sent")
        except Refused as error:
            self._note(operation, "refused", str(error), "refused")
            yield Step("refused", error.what, error.next_step)
        except SelfhealError as error:
            self._note(operation, "result", str(error), "failed")
            yield Step("failed", error.what, error.next_step)

    def _progress(self, operation: "_Operation", step: Step) -> Progress:
        unsaid = operation.unwritten and operation.unwritten != step.text
        text = f"{step.text} (not in the journal: {operation.unwritten})" if unsaid else step.text
        return Progress(operation.id, step.phase, text, self._world.clock(), step.next_step)

    async def _confirmed(self, operation: "_Operation") -> Preview:
        """The preview computed anew.

        Raises:
            Refused: A rule forbids it now, or the world moved since the operator confirmed.
        """
        confirmed = operation.preview
        allowed = await self.allowed(confirmed.verb, confirmed.target)
        if not allowed.ok:
            raise Refused(allowed.reason)
        now = await self.preview(confirmed.verb, confirmed.target, confirmed.parameters)
        if now.refusal:
            raise Refused(now.refusal)
        moved = what_moved(confirmed.precondition, now.precondition)
        if moved:
            raise Refused(f"the world moved since the preview: {moved}", "look at the new preview and confirm again")
        operation.control.check()
        return now

    async def _take_lease(self, operation: "_Operation", preview: Preview, stack: AsyncExitStack) -> None:
        subject = ACTIONS[preview.verb].lease_subject(preview)
        if not subject:
            return
        who = self._who
        lease = ReleaseLease(
            self._world.client,
            namespace=preview.target.namespace,
            subject=subject,
            holder=f"{who.user}@{who.host} ({who.source}, {preview.verb}, {operation.id})",
            clock=self._world.clock,
        )
        held = await stack.enter_async_context(lease.hold())
        operation.control.lease_lost = lambda: held.lost

    def _note_step(self, operation: "_Operation", step: Step) -> None:
        if step.phase in ("verifying", "recovered", "not verified") and not operation.sent:
            operation.sent = True
            self._note(operation, "result", "carried out; now verifying", "verifying")
        if step.phase in ("recovered", "not verified"):
            self._note(operation, "verification", step.text, step.phase)
        elif step.phase in ("failed", "cancelled"):
            self._note(operation, "result", step.text, step.phase)
        elif step.phase == "refused":
            self._note(operation, "refused", step.text, step.phase)

    def _note(self, operation: "_Operation", step: JournalStep, text: str, phase: Phase) -> None:
        """Write to the journal what already happened: there a full disk can't undo anything any more."""
        try:
            self._write(operation, step, text, phase)
        except Refused as error:
            operation.unwritten = error.what

    def _write(self, operation: "_Operation", step: JournalStep, text: str, phase: Phase) -> None:
        """Write to the journal before anything happens.

        Raises:
            Refused: It can't be written.
        """
        preview, who = operation.preview, self._who
        self._journal.write(
            Entry(
                at=self._world.clock(),
                operation_id=operation.id,
                step=step,
                verb=preview.verb,
                namespace=preview.target.namespace,
                target=preview.target.name,
                text=text,
                user=who.user,
                host=who.host,
                source=who.source,
                context=self._world.context,
                reason=operation.reason,
                phase=phase,
            )
        )


@dataclass(frozen=True, slots=True)
class _Right:
    """What is known of our right to something.

    Attributes:
        missing: Why it must not be tried; "" if it may be.
        unknown: Why nothing is known; "" if it is.
        lasts_seconds: How long this is believed.
    """

    missing: str = ""
    unknown: str = ""
    lasts_seconds: float = PERMISSION_SECONDS


@dataclass(slots=True)
class _Operation:
    """One run.

    Attributes:
        sent: Whether the journal holds that the change was carried out.
        unwritten: Why the journal lacks a line; "" if it is complete.
    """

    id: str
    preview: Preview
    reason: str
    control: Control
    sent: bool = False
    unwritten: str = ""


def _bound_to(context: str, preview: Preview) -> Preview:
    """A preview of one cluster, which is not carried out on another that is looked at meanwhile."""
    return replace(preview, precondition={**preview.precondition, "context": context}) if context else preview


def what_moved(confirmed: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Say which facts differ: ``revision was 7, is 8``; "" if none does."""
    moved = [
        f"{name} was {confirmed.get(name, 'unknown')}, is {now.get(name, 'unknown')}"
        for name in (*confirmed, *(name for name in now if name not in confirmed))
        if confirmed.get(name) != now.get(name)
    ]
    return "; ".join(moved)


def _facts(preview: Preview) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in {**preview.parameters, **preview.precondition}.items())
    return f"confirmed with {facts}" if facts else "confirmed"
