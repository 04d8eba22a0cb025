"""What can be broken on purpose for practice, and which layer heals it: one table for console and demo story."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

PRACTICE_PORT = 8080
"""Port of the demo service, which serves the practice switches too."""
BAD_TAG = "9.9-does-not-exist"
"""Tag of an image that no registry has."""
BURN_MILLICORES = 220
"""Per pod, of a request of 100: two pods at 220 % of their request are worth ceil(2 x 220 / 70) = 7, capped at 5."""
BURN_SECONDS = 90
CRASHES = 4
"""Restarts of one container after which healerd removes the pod: more than its limit of 3."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break something.

    Attributes:
        name: Value of the verb's parameter.
        layer: Number of the healing layer that answers to it.
        does: What is sent, as a clause.
        heals: Who mends it and how, as a clause.
        within_seconds: When that is over on a sandbox at normal speed, at the latest.
        path: Of the service's practice switch; "" where it is none.
        body: What is posted there.
        remedy: The verb that heals it, where that is left to the operator; "" where a layer does it.
        taken_back: Whether the program that caused it undoes a part of it at the end.
    """

    name: str
    title: str
    layer: int
    does: str
    heals: str
    within_seconds: float
    path: str = ""
    body: Mapping[str, object] = field(default_factory=dict, hash=False)
    remedy: str = ""
    taken_back: bool = False


CRASH = Fault(
    "crash",
    "one crash",
    1,
    "ends the process of one pod",
    "the kubelet starts the container again",
    30,
    "/crash",
)
HANG = Fault(
    "hang",
    "hang",
    1,
    "lets /health of one pod fail",
    "the liveness probe fails three times, then the kubelet restarts the container",
    60,
    "/practice/health",
    {"healthy": False},
)
UNREADY = Fault(
    "unready",
    "unready",
    2,
    "lets /ready of one pod fail for a while",
    "the readiness probe takes the pod out of the Service until it answers again; no request goes to it",
    60,
    "/practice/ready",
    {"ready": False, "reason": "practice"},
    taken_back=True,
)
CRASH_LOOP = Fault(
    "crash-loop",
    "crash loop",
    3,
    f"ends the process of one pod {CRASHES} times",
    "healerd evicts the pod after more than 3 restarts; a fresh one takes its place",
    180,
    "/crash",
)
BAD_RELEASE = Fault(
    "bad-release",
    "bad release",
    4,
    f"upgrades its Helm release to an image that does not exist ({BAD_TAG})",
    "you, with R, which rolls back; the old pods serve on meanwhile",
    300,
    remedy="rollback",
)
CPU_PEAK = Fault(
    "cpu-peak",
    "CPU peak",
    5,
    f"lets every pod burn {BURN_MILLICORES}m of CPU for up to {BURN_SECONDS} s",
    "the autoscaler adds replicas until the load per pod is on target; minutes later it takes them away",
    90,
    "/practice/burn",
    {"millicores": BURN_MILLICORES, "seconds": BURN_SECONDS},
    taken_back=True,
)
DRAIN = Fault(
    "drain-node",
    "drain a node",
    6,
    "evicts every pod of the node that has most of its pods, then lets the node take pods again",
    "the disruption budget lets them go only as fast as replacements become ready elsewhere",
    120,
    taken_back=True,
)
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.name: fault for fault in (CRASH, HANG, UNREADY, CRASH_LOOP, BAD_RELEASE, CPU_PEAK, DRAIN)}
)
"""All faults by name, in the order of the layers."""
READY_AGAIN: Mapping[str, object] = MappingProxyType({"ready": True})
"""Takes ``UNREADY`` back."""
BURN_NOTHING: Mapping[str, object] = MappingProxyType({"millicores": 0, "seconds": 0})
"""Takes ``CPU_PEAK`` back."""


def busiest_node(nodes: Iterable[str]) -> str:
    """The node that is named most often, the first by name among equals; "" if none is named."""
    named = [node for node in nodes if node]
    return max(sorted(set(named)), key=named.count, default="")
