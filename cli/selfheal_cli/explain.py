"""`selfheal explain POD|APPLICATION`: its state, its last words, what healerd decides and did, and the next step."""

import asyncio
from collections.abc import Iterator, Mapping

import click
import yaml

from selfheal_cli import words
from selfheal_cli.explanation import NOTHING_DONE, Explanation, Sign, explain_application, explain_pod
from selfheal_cli.last_words import last_words, troubled_pod
from selfheal_cli.next_step import NextStep
from selfheal_cli.session import Session, first_data, open_session
from selfheal_cli.settings import Settings
from selfheal_cli.verbs import check_pods_known, name_hint
from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.controller_status import CONTROLLER_SELECTOR
from selfheal_core.domain.escape import printable
from selfheal_core.domain.heal import HealPolicy
from selfheal_core.domain.snapshot import AppKey, PodRow
from selfheal_core.errors import BadUsage

LABEL_WIDTH = 9
EVIDENCE_LIMIT = 300
"""Characters shown of what a container said before it ended."""
SIGNS: Mapping[Sign, str] = {"open": "yes", "closed": "NO", "unknown": "?"}
POLICY_FILE = "config.yaml"
DEFAULT_POLICY = "healerd's own settings can't be read, so these are its default limits"
COMMANDS: Mapping[str, str] = {
    "R": "selfheal rollback {name} -n {namespace}",
    "l": "kubectl logs -n {namespace} -l app={name} --prefix",
    "p": "kubectl logs -n {namespace} {pod} --previous",
    "d": "kubectl describe pod -n {namespace} {pod}",
    "enter": "kubectl get pods -n {namespace} -l app={name}",
}
"""What does on a command line what a key of the console does, by the key of a next step."""


def explain(name: str, settings: Settings) -> None:
    """Explain a pod or an application.

    Args:
        name: Of either; a pod's wins.
        settings: Which cluster and namespace.

    Raises:
        SelfhealError: There is nothing of that name, or no cluster.
    """
    asyncio.run(_explain(name, settings))


async def _explain(name: str, settings: Settings) -> None:
    async with open_session(
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        namespaces=(settings.namespace,) if settings.namespace else None,
        source="cli",
        read_only=True,
        prometheus=settings.prometheus,
    ) as session:
        await first_data(session)
        policy, known = await observed_policy(session.client)
        for line in await lines(session, name, policy):
            click.echo(line)
        if not known:
            click.echo(f"{'limits':<{LABEL_WIDTH}} {DEFAULT_POLICY}")


async def lines(session: Session, name: str, policy: HealPolicy) -> list[str]:
    """The explanation of what a name means, line by line.

    Raises:
        BadUsage: It means nothing; the text names the nearest.
    """
    snapshot, namespace = session.observer.snapshot(), session.namespaces[0]
    now = snapshot.taken_at
    pods = {row.name: row for row in snapshot.pods.values() if row.namespace == namespace}
    app = snapshot.applications.get(AppKey(namespace, name))
    if name in pods:
        row = pods[name]
        said = await _last_words(session, row if row.restarts and row.severity != "ok" else None)
        return list(explanation_lines(explain_pod(row, snapshot, policy, now, said), _place(row), now))
    if app is None:
        check_pods_known(snapshot)
        known = [*(key.name for key in snapshot.applications if key.namespace == namespace), *pods]
        raise BadUsage(f"no pod or application '{name}' in namespace '{namespace}'", name_hint(name, known))
    rows = [snapshot.pods[uid] for uid in app.pods if uid in snapshot.pods]
    troubled = troubled_pod(rows) if app.severity != "ok" else None
    shown = troubled or max(rows, key=lambda row: (row.restarts, row.name), default=None)
    place = {"name": name, "namespace": namespace, "pod": shown.name if shown is not None else "POD"}
    said = await _last_words(session, troubled)
    return list(explanation_lines(explain_application(app, snapshot, policy, now, said), place, now))


def _place(row: PodRow) -> dict[str, str]:
    return {"name": row.app.name, "namespace": row.namespace, "pod": row.name}


async def _last_words(session: Session, row: PodRow | None) -> str:
    if row is None:
        return ""
    return await last_words(session.client, row.namespace, row.name, row.worst_container)


def explanation_lines(about: Explanation, place: Mapping[str, str], now: float) -> Iterator[str]:
    """Word an explanation as lines of text.

    Args:
        about: What there is to say.
        place: ``name`` of the application, ``namespace`` and ``pod``, for the command that is the next step.
        now: Seconds since the epoch.
    """
    yield f"{'state':<{LABEL_WIDTH}} {printable(about.state)}"
    if about.says:
        yield f"{'it says':<{LABEL_WIDTH}} “{printable(about.says, limit=EVIDENCE_LIMIT)}”"
    yield f"{'decides':<{LABEL_WIDTH}} {printable(about.decision)}"
    for gate in about.gates:
        reason = f": {printable(gate.reason)}" if gate.reason else ""
        yield f"{'':<{LABEL_WIDTH}} {SIGNS[gate.sign]:<4} {gate.question}{reason}"
    for deed in about.deeds:
        when = f"{words.moment(deed.at)} ({words.age(deed.at, now)} ago)"
        yield f"{'did':<{LABEL_WIDTH}} {when}: {printable(deed.sentence)}"
    if not about.deeds:
        yield f"{'did':<{LABEL_WIDTH}} {NOTHING_DONE}"
    if about.change:
        yield f"{'changed':<{LABEL_WIDTH}} {printable(about.change)}"
    yield f"{'next':<{LABEL_WIDTH}} {printable(step_words(about.step, place))}"


def step_words(step: NextStep, place: Mapping[str, str]) -> str:
    """The next step with the command that takes it."""
    command = COMMANDS.get(step.key, "").format(**place)
    return f"{words.sentence(step.sentence)}{f' Type: {command}' if command else ''}"


async def observed_policy(client: KubernetesClient) -> tuple[HealPolicy, bool]:
    """Healerd's policy from its ConfigMap, and whether it could be read; the default one where it could not."""
    try:
        found = await client.get_json(path("v1", "configmaps"), params={"labelSelector": CONTROLLER_SELECTOR})
    except ApiError:
        return HealPolicy(), False
    for item in found.get("items") or ():
        text = (item.get("data") or {}).get(POLICY_FILE)
        if text is not None:
            return policy_from(text, str(item.get("metadata", {}).get("namespace", "")))
    return HealPolicy(), False


def policy_from(text: str, own_namespace: str) -> tuple[HealPolicy, bool]:
    """Read the policy out of healerd's file; it has checked that file itself, so what is odd is left out here."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        return HealPolicy(), False
    default = HealPolicy()
    limit = _inside(content, "policy", "maxRestarts")
    excluded = _inside(content, "namespaces", "excluded")
    return HealPolicy(
        max_restarts=limit if isinstance(limit, int) else default.max_restarts,
        excluded_namespaces=default.excluded_namespaces | set(excluded if isinstance(excluded, list) else ()),
        own_namespace=own_namespace,
    ), True


def _inside(content: Mapping[str, object], section: str, key: str) -> object:
    inner = content.get(section)
    return inner.get(key) if isinstance(inner, dict) else None
