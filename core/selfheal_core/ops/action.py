"""What one verb has to provide to the executor, and what the executor lends it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.helm.history import ReleaseBody, decode_release, secret_name
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.snapshot import AppKey, Application, Snapshot, Track
from selfheal_core.domain.words import ratio
from selfheal_core.errors import BadUsage, SelfhealError, did_you_mean
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.operation import Impact, Phase, Preview, Target


class Cancelled(Exception):  # noqa: N818 - the word people read
    """The operator asked to stop, or the lease was lost; ``str()`` says which."""


class Step(NamedTuple):
    """One step of a verb at work."""

    phase: Phase
    text: str
    next_step: str = ""


@dataclass(slots=True)
class Control:
    """How a running operation is asked to stop.

    Attributes:
        stop: Why it should; "" while it may go on.
        lease_lost: Says why the lease is not ours any more; "" while it is.
        outdated: Says which data is too old to act on; "" while all of it is current.
    """

    stop: str = ""
    lease_lost: Callable[[], str] = field(default=lambda: "")
    outdated: Callable[[], str] = field(default=lambda: "")

    @property
    def stopping(self) -> str:
        """Why to stop; "" if not."""
        return self.stop or self.lease_lost()

    def check(self) -> None:
        """Call before every write.

        Raises:
            Cancelled: It has to stop.
            SelfhealError: What it would act on is not current any more.
        """
        if self.stopping:
            raise Cancelled(self.stopping)
        if outdated := self.outdated():
            raise SelfhealError(f"no changes on old data: {outdated}")


@dataclass(frozen=True, slots=True)
class World:
    """What a verb may use.

    Attributes:
        context: Name of the kubeconfig context.
        sandbox: Whether this is an embedded cluster for practice.
        read_only: Then a preview asks the server for no dry run either.
        verify_seconds: How long recovery is waited for.
        steady_seconds: How long it has to last before it is called one.
    """

    client: KubernetesClient
    helm: Callable[[], Awaitable[Helm]]
    observer: Observer
    clock: Callable[[], float]
    context: str
    sandbox: bool
    read_only: bool
    verify_seconds: float
    steady_seconds: float

    def application(self, target: Target) -> Application | None:
        """The target's application as it is now."""
        return application_in(self.observer.snapshot(), target)

    async def release_body(self, release: str, namespace: str, revision: int) -> ReleaseBody:
        """What a revision of a Helm release installed, read from its Secret.

        Raises:
            SelfhealError: The Secret can't be read, or does not hold what Helm writes.
        """
        where = path("v1", "secrets", namespace=namespace, name=secret_name(release, revision))
        data = (await self.client.get_json(where)).get("data")
        return decode_release(str(data.get("release", "") if isinstance(data, dict) else ""))


class Action(Protocol):
    """One verb."""

    parameters: frozenset[str]
    """Names of the parameters it takes."""

    async def preview(self, world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
        """Say what it would do now."""

    def lease_subject(self, preview: Preview) -> str:
        """Whose Lease has to be held; "" for none."""

    def perform(self, world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
        """Do it and verify it; the last step is final."""


def application_in(snapshot: Snapshot, target: Target) -> Application | None:
    """The application that a target belongs to."""
    return snapshot.applications.get(AppKey(target.namespace, target.application))


def check_parameters(action: Action, verb: str, parameters: Mapping[str, str]) -> None:
    """Refuse parameters that a verb does not take.

    Raises:
        BadUsage: Names the nearest one it does take.
    """
    for name in parameters:
        if name not in action.parameters:
            known = sorted(action.parameters)
            raise BadUsage(f"{verb} takes no parameter '{name}'", did_you_mean(name, known) if known else "")


def pick_track(application: Application, parameters: Mapping[str, str]) -> Track | None:
    """The track that is meant: the one named, else stable, else the only one.

    Raises:
        BadUsage: No track has that name.
    """
    name = parameters.get("track")
    if name is None:
        return application.track("stable") or next(iter(application.tracks), None)
    track = application.track(name)
    if track is None:
        known = [track.name for track in application.tracks]
        raise BadUsage(f"{application.key.name} has no track '{name}'", did_you_mean(name, known))
    return track


def refusal(verb: str, target: Target, impact: Impact, why: str, now: float) -> Preview:
    """A preview of something that can't be done, and why."""
    title = f"{verb} {target.name} in {target.namespace}"
    return Preview(verb, target, impact, title, (), "", {}, refusal=why, computed_at=now)


def situation(application: Application) -> str:
    """How the application is now, for the preview's line ``Now``."""
    parts = [f"{application.ready} of {_or_unknown(application.desired)} ready"]
    if application.budget is not None:
        parts.append(f"PDB allows {application.budget.disruptions_allowed}")
    if application.autoscaler is not None:
        scaler = application.autoscaler
        parts.append(f"HPA {scaler.current_replicas} ({scaler.min_replicas}-{scaler.max_replicas})")
    parts.append(f"errors: {ratio(application.errors.ratio if application.errors is not None else None)}")
    return " · ".join(parts)


def _or_unknown(figure: int | None) -> str:
    return "?" if figure is None else str(figure)
