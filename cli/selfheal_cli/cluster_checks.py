"""What `selfheal doctor` looks at in the cluster: API server, clock, rights, metrics, Prometheus, healerd."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from selfheal_cli.finding import Finding
from selfheal_core.cluster.kubernetes.api_errors import ApiError, Forbidden
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.cluster.kubernetes.server_clock import sent_at
from selfheal_core.cluster.prometheus.address import Address, parse_address
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.cluster.prometheus.discovery import discover
from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.cluster.prometheus.transport import transport_to
from selfheal_core.domain.controller_status import CONTROLLER_SELECTOR, VERSION_LABEL
from selfheal_core.domain.times import duration
from selfheal_core.errors import BadUsage
from selfheal_core.ops.operation import Access

SKEW_LIMIT_SECONDS = 2.0
"""A Date header is exact to a second, and an age is shown in seconds."""
OLD_SAMPLE_SECONDS = 120.0
"""Twice the scrape interval that Prometheus has by default; older samples are no picture of now."""
NEWEST_SAMPLE_AGE = "time() - max(timestamp(up))"
"""By Prometheus' own clock, so that ours does not matter."""
METRICS_SERVER = "https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml"
NO_PROMETHEUS = "name it: selfheal-tui --prometheus NAMESPACE/SERVICE:PORT"
USUAL_NAMESPACE = "selfheal-system"
NO_HEALERD = f"helm install healerd chart/healerd -n {USUAL_NAMESPACE} --create-namespace"
READING = (
    Access("list", "", "pods"),
    Access("watch", "", "pods"),
    Access("list", "apps", "replicasets"),
    Access("list", "apps", "deployments"),
)
"""What every screen and verb stands on."""


async def version(client: KubernetesClient) -> tuple[Finding, str]:
    """Whether the API server answers, how fast, and its version ("" without an answer)."""
    started = time.monotonic()
    try:
        found = await client.server_version()
    except ApiError as error:
        return Finding("broken", "cluster", error.what, error.next_step), ""
    return Finding("ok", "cluster", f"{found}, answered in {1000 * (time.monotonic() - started):.0f} ms"), found


async def clock(client: KubernetesClient, now: Callable[[], float] = time.time) -> Finding:
    """Whether our clock and the API server's agree."""
    before = now()
    try:
        stamp = await client.server_date()
    except ApiError as error:
        return Finding("missing", "clock", f"can't be compared: {error.what}")
    theirs = sent_at(stamp)
    if theirs is None:
        return Finding("missing", "clock", "can't be compared: the API server tells no date")
    return skew_finding((before + now()) / 2 - theirs)


def skew_finding(seconds: float) -> Finding:
    """Word how far our clock is ahead of the API server's; negative for behind."""
    if abs(seconds) <= SKEW_LIMIT_SECONDS:
        return Finding("ok", "clock", "agrees with the API server's to within 2 s")
    off, ahead = duration(round(abs(seconds))), seconds > 0
    effect = f"ages are told by the API server's, kubectl's ages read {off} too {'long' if ahead else 'short'}"
    text = (
        f"{off} {'ahead of' if ahead else 'behind'} the API server's: {effect}, and a valid credential may be refused"
    )
    return Finding("warning", "clock", text, "sudo timedatectl set-ntp true")


async def rights(client: KubernetesClient, namespace: str, about: str, needs: Sequence[Access]) -> Finding:
    """Whether we may do all that a verb needs; a review that is itself refused leaves it open."""
    try:
        answers = await asyncio.gather(*(client.may(access, namespace) for access in needs))
    except ApiError as error:
        ask = f"try: kubectl auth can-i {needs[0].verb} {needs[0].resource} -n {namespace}" if needs else ""
        return Finding("missing", about, f"rights unknown: {error.what}", ask)
    missing = [str(access) for access, allowed in zip(needs, answers, strict=True) if not allowed]
    if missing:
        next_step = f"ask who administers namespace '{namespace}'"
        return Finding("missing", about, f"not allowed in '{namespace}': {', '.join(missing)}", next_step)
    return Finding("ok", about, f"allowed in namespace '{namespace}'")


async def metrics(client: KubernetesClient, namespace: str) -> Finding:
    """Whether use of CPU and memory can be read."""
    where = path("metrics.k8s.io/v1beta1", "pods", namespace=namespace)
    try:
        await client.get_json(where, params={"limit": "1"})
    except ApiError as error:
        text = f"CPU columns stay empty: {error.what}"
        return Finding("missing", "metrics", text, f"kubectl apply -f {METRICS_SERVER}")
    return Finding("ok", "metrics", "served")


async def prometheus(client: KubernetesClient, setting: str, namespace: str) -> Finding:
    """Whether there is a Prometheus, whether it answers, and how old its newest sample is."""
    try:
        address = await _address(client, setting, namespace)
    except BadUsage as error:
        return Finding("missing", "prometheus", error.what, error.next_step)
    except ApiError as error:
        return Finding("missing", "prometheus", f"can't be looked for: {error.what}", NO_PROMETHEUS)
    if address is None:
        text = "switched off" if setting else "none found; error rates are read from the pods instead"
        return Finding("missing", "prometheus", text, NO_PROMETHEUS)
    asked = Prometheus(transport_to(address, client, user_agent="selfheal-doctor"))
    try:
        answer = await asked.query(NEWEST_SAMPLE_AGE)
    except PrometheusError as error:
        return Finding("missing", "prometheus", error.what, error.next_step or NO_PROMETHEUS)
    finally:
        await asked.close()
    ages = [sample.value for sample in answer.samples if sample.is_number]
    if not ages:
        return Finding("missing", "prometheus", f"{address} answers and has no samples", "look at its targets page")
    newest = f"{address} answers, newest sample {duration(max(0.0, ages[0]))} old"
    if ages[0] > OLD_SAMPLE_SECONDS:
        return Finding("warning", "prometheus", newest, "look at its targets page")
    return Finding("ok", "prometheus", newest)


async def _address(client: KubernetesClient, setting: str, namespace: str) -> Address | None:
    return parse_address(setting) if setting else await discover(client, (namespace,))


async def healerd(client: KubernetesClient) -> Finding:
    """Whether healerd is at work, and which version."""
    try:
        items = await _healerds(client)
    except ApiError as error:
        return Finding("missing", "healerd", f"can't be looked for: {error.what}", "ask who administers the cluster")
    ready = [item for item in items if item.get("status", {}).get("readyReplicas", 0)]
    if not ready:
        nobody = "no ready replica" if items else "not installed"
        text = f"{nobody}; pods that keep restarting are not replaced"
        return Finding("missing", "healerd", text, _how_to_mend(items))
    replicas = sum(item["status"]["readyReplicas"] for item in ready)
    versions = {item.get("metadata", {}).get("labels", {}).get(VERSION_LABEL, "") for item in ready}
    named = " ".join(sorted(versions - {""}))
    return Finding("ok", "healerd", f"{named}, {replicas} ready" if named else f"{replicas} ready")


async def _healerds(client: KubernetesClient) -> Sequence[Any]:
    """Healerd's Deployments: anywhere, or where it usually is if we may not look everywhere."""
    params = {"labelSelector": CONTROLLER_SELECTOR}
    try:
        found = await client.get_json(path("apps/v1", "deployments"), params=params)
    except Forbidden:
        found = await client.get_json(path("apps/v1", "deployments", namespace=USUAL_NAMESPACE), params=params)
    items: Sequence[Any] = found.get("items") or ()
    return items


def _how_to_mend(items: Sequence[Any]) -> str:
    if not items:
        return NO_HEALERD
    namespace = items[0].get("metadata", {}).get("namespace", USUAL_NAMESPACE)
    return f"kubectl describe pods -n {namespace} -l {CONTROLLER_SELECTOR}"
