"""Everything known of a pod or an application, as a text to read."""

from collections.abc import Iterable, Mapping

import msgspec

from selfheal_cli import words
from selfheal_core.domain.controller_status import event_time
from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import Container, ContainerStatus, Event, Pod, Terminated
from selfheal_core.domain.snapshot import Application, PodRow, Track
from selfheal_core.domain.times import parse_time
from selfheal_tui.present.glyphs import TONE_OF_SEVERITY, Glyphs
from selfheal_tui.present.spans import BLANK, Line, Span, line

LABEL_WIDTH = 13
CONDITION_WIDTH = 26


def fact(label: str, text: str, *more: Span) -> Line:
    """``Label        text``."""
    return line(Span(f"{label} ".ljust(LABEL_WIDTH), "dim"), printable(text), *more)


def facts(label: str, texts: Iterable[str]) -> list[Line]:
    """One line for each text, the label before the first; ``none`` where there is none."""
    return [fact("" if index else label, text) for index, text in enumerate(list(texts) or ["none"])]


def heading(text: str) -> list[Line]:
    """A blank line and a title."""
    return [BLANK, line(Span(text, "title"))]


def describe_pod(raw: Mapping[str, object], row: PodRow, events: Iterable[Event], now: float, g: Glyphs) -> list[Line]:
    """A pod: where it is, its containers, conditions and events.

    Args:
        raw: The pod as the API server has it.
        row: The same pod as diagnosed.
        events: Of this pod, any order.
        now: Seconds since the epoch.
        g: Signs to draw with.
    """
    pod = msgspec.convert(raw, Pod)
    owner = f"{row.owner.kind} {row.owner.name}" if row.owner else "none: a bare pod is not replaced when it goes"
    state = Span(f"{g.of(row.severity)} {words.pod_state(row, now)}", TONE_OF_SEVERITY[row.severity])
    lines = [
        fact("Pod", pod.metadata.name),
        fact("Namespace", pod.metadata.namespace),
        fact("Application", f"{row.app.name}, track {row.track}"),
        fact("Owner", owner),
        fact("State", "", state, Span(f"  {printable(words.sentence(row.reason))}")),
        fact("Node", f"{row.node or words.NONE}, address {row.pod_ip or words.NONE}"),
        fact("Age", _since_words(pod.metadata.creation_timestamp, now)),
        fact("Uses", f"CPU {words.cpu(row.cpu_millicores)}, memory {words.memory(row.memory_bytes)}"),
        *facts("Labels", [f"{key}={value}" for key, value in pod.metadata.labels.items()]),
    ]
    statuses = {status.name: status for status in pod.status.container_statuses}
    for container in pod.spec.containers:
        lines += [*heading(f"Container {printable(container.name)}")]
        lines += _container(container, statuses.get(container.name), now)
    lines += heading("Conditions")
    for condition in pod.status.conditions:
        tone: Line = (Span(printable(condition.status), "plain" if condition.status == "True" else "warn"),)
        since = _since_words(condition.last_transition_time, now)
        name = Span(f"{printable(condition.type)} ".ljust(CONDITION_WIDTH), "dim")
        lines.append((name, *tone, Span(f" {since}", "dim")))
        if condition.message:
            lines.append(fact("", condition.message))
    return [*lines, *event_lines(events, now, g)]


def _container(container: Container, status: ContainerStatus | None, now: float) -> list[Line]:
    wants = ", ".join(f"{name} {value}" for name, value in container.resources.requests.items())
    limits = ", ".join(f"{name} {value}" for name, value in container.resources.limits.items())
    ports = ", ".join(f"{port.container_port} {port.name}".strip() for port in container.ports)
    lines = [
        fact("Image", container.image),
        fact("Requests", wants or "none"),
        fact("Limits", limits or "none"),
        fact("Ports", ports or words.NONE),
    ]
    if status is None:
        return [*lines, fact("State", "not reported yet")]
    lines.append(fact("State", f"{_state_words(status, now)}, {'ready' if status.ready else 'not ready'}"))
    lines.append(fact("Restarts", str(status.restart_count)))
    if status.last_state.terminated is not None:
        lines.append(fact("Last run", terminated_words(status.last_state.terminated, now)))
    return lines


def _state_words(status: ContainerStatus, now: float) -> str:
    state = status.state
    if state.running is not None:
        return f"running since {_since_words(state.running.started_at, now)}"
    if state.waiting is not None:
        return f"waiting: {state.waiting.reason}{f', {state.waiting.message}' if state.waiting.message else ''}"
    return terminated_words(state.terminated, now) if state.terminated is not None else "unknown"


def terminated_words(end: Terminated, now: float) -> str:
    """``ended with code 1 (Error) after 2s, 41s ago``."""
    started, finished = parse_time(end.started_at), parse_time(end.finished_at)
    lasted = f" after {words.length(finished - started)}" if started and finished else ""
    when = f", {words.age(finished, now)} ago" if finished else ""
    signal = f", signal {end.signal}" if end.signal else ""
    message = f": {end.message}" if end.message else ""
    return f"ended with code {end.exit_code} ({end.reason or 'no reason'}{signal}){lasted}{when}{message}"


def _since_words(stamp: str | None, now: float) -> str:
    at = parse_time(stamp)
    return words.NONE if at is None else f"{words.moment(at)} ({words.length(now - at)} ago)"


def describe_application(app: Application, pods: Iterable[PodRow], now: float, glyphs: Glyphs) -> list[Line]:
    """An application: tracks, scaling, budget, requests, revisions, pods, events."""
    state = Span(f"{glyphs.of(app.severity)} {words.application_state(app, now)}", TONE_OF_SEVERITY[app.severity])
    lines = [
        fact("Application", app.key.name),
        fact("Namespace", app.key.namespace),
        fact("State", "", state, Span(f"  {printable(words.sentence(app.reason))}")),
        fact("Ready", words.application_ready(app)),
        fact("Autoscaler", _autoscaler(app)),
        fact("Budget", _budget(app)),
        fact("Requests", _requests(app, now)),
    ]
    for track in app.tracks:
        lines += [*heading(f"Track {printable(track.name)}"), *_track(track)]
    lines += heading("Revisions")
    for revision in app.revisions:
        age = words.age(revision.deployed_at, now)
        text = f"{revision.release} {revision.number}  {revision.status}, {age} ago, {words.known_good(revision)}"
        lines.append(line(f"  {printable(text)}", Span(f"  {printable(revision.image)}", "dim")))
    if not app.revisions:
        lines.append(line(Span("  none: not installed by Helm, or its Secrets can't be listed", "dim")))
    lines += heading("Pods")
    for pod in pods:
        sign = Span(f"{glyphs.of(pod.severity)} {words.pod_state(pod, now)}", TONE_OF_SEVERITY[pod.severity])
        lines.append(line(f"  {printable(pod.name)}  ", sign, Span(f"  {printable(pod.reason)}", "dim")))
    return [*lines, *event_lines(app.events, now, glyphs)]


def _autoscaler(app: Application) -> str:
    scaler = app.autoscaler
    if scaler is None:
        return "none"
    counts = f"{words.autoscaler(scaler, app.desired)}, wants {scaler.desired_replicas}"
    return f"{counts}, CPU {words.percent(scaler.cpu_percent)}{', at its limit' if scaler.limited else ''}"


def _budget(app: Application) -> str:
    budget = app.budget
    if budget is None:
        return "none: nothing stops an eviction"
    counts = f"{budget.current_healthy} healthy, {budget.desired_healthy} needed"
    return f"{budget.name} allows {budget.disruptions_allowed} ({counts})"


def _requests(app: Application, now: float) -> str:
    errors = app.errors
    if errors is None:
        return words.NO_DATA
    rate = words.NO_DATA if errors.requests_per_second is None else f"{errors.requests_per_second:.1f}/s"
    return (
        f"{rate}, errors {words.error_ratio(errors)}, p95 {words.latency(errors.p95_seconds)} over the last "
        f"{words.length(errors.window_seconds)} ({errors.origin}, {words.age(errors.measured_at, now)} ago)"
    )


def _track(track: Track) -> list[Line]:
    workload = f"{track.workload.kind} {track.workload.name}" if track.workload else "none"
    guess = " (concluded from the release history)" if track.revision_inferred else ""
    flags = [
        "paused" if track.paused else "",
        "" if track.generation_observed else "the controller has not seen the last change yet",
        "progress deadline exceeded" if track.progress_deadline_exceeded else "",
    ]
    counts = f"{track.ready} ready, {track.updated} updated, {track.available} available of {track.desired}"
    lines = [
        fact("Workload", workload),
        fact("Release", f"{track.release or 'none'}, revision {track.revision or 'unknown'}{guess}"),
        fact("Image", track.image or words.NONE),
        fact("Replicas", counts),
    ]
    noted = ", ".join(filter(None, flags))
    return [*lines, line(Span(f"{' ' * LABEL_WIDTH}{noted}", "warn"))] if noted else lines


def event_lines(events: Iterable[Event], now: float, glyphs: Glyphs) -> list[Line]:
    """Events under a heading, newest first."""
    lines = heading("Events")
    ordered = sorted(events, key=event_time, reverse=True)
    for event in ordered:
        at = event_time(event)
        count = f" x{event.count}" if event.count and event.count > 1 else ""
        warning = event.type == "Warning"
        sign = Span(f"  {glyphs.warn if warning else glyphs.dot} ", "warn" if warning else "dim")
        when = Span(f"{words.age(at or None, now):>4} ", "dim")
        about = f"{event.involved_object.kind.lower()}/{event.involved_object.name}"
        lines.append(line(sign, when, printable(f"{event.reason}{count} {about}: {event.message}")))
    if not ordered:
        lines.append(line(Span("  none in the last hour, which is as long as a cluster keeps them by default", "dim")))
    return lines
