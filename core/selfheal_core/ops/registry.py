"""Every verb there is: what it is called, which key it has, what it needs, and how much it can cost.

Console (keys, help, palette, dimming), command line and executor are generated from this one table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from selfheal_core.errors import BadUsage, did_you_mean
from selfheal_core.ops.operation import Access, Impact

TargetKind = Literal["application", "pod"]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing an operator can do.

    Attributes:
        name: The word on the command line and in the journal.
        key: The upper-case key of the console.
        title: Short label for footer and palette, e.g. ``roll back``.
        sentence: One sentence for the help, without a full stop.
        target_kind: What it is aimed at.
        impact: The highest cost it can have; a preview may find it lower for the case at hand.
        needs: Permissions it needs in the target's namespace.
        sources: Names of the observer's sources that must be fresh before anything is written.
        built: False for a verb that this version only knows the name of.
        practice: True for what is refused outside a sandbox.
    """

    name: str
    key: str
    title: str
    sentence: str
    target_kind: TargetKind
    impact: Impact
    needs: tuple[Access, ...] = ()
    sources: tuple[str, ...] = ()
    built: bool = True
    practice: bool = False


_RELEASE_LEASE = (
    Access("create", "coordination.k8s.io", "leases"),
    Access("update", "coordination.k8s.io", "leases"),
)
_WORKLOADS = ("pods", "replicasets", "deployments")

_TABLE = (
    Verb(
        name="rollback",
        key="R",
        title="roll back",
        sentence="Roll the application's Helm release back to a revision that was healthy, and verify the recovery",
        target_kind="application",
        impact=Impact.ONE_APPLICATION,
        needs=(
            Access("list", "", "secrets"),
            Access("create", "", "secrets"),
            Access("update", "", "secrets"),
            Access("patch", "apps", "deployments"),
            *_RELEASE_LEASE,
        ),
        sources=(*_WORKLOADS, "releases"),
    ),
    Verb(
        name="restart",
        key="T",
        title="restart",
        sentence="Restart the application's workload pod by pod (rollout restart), and verify that it is ready again",
        target_kind="application",
        impact=Impact.ONE_APPLICATION,
        needs=(Access("patch", "apps", "deployments"), *_RELEASE_LEASE),
        sources=_WORKLOADS,
    ),
    Verb(
        name="kill",
        key="K",
        title="kill pod",
        sentence="Evict one pod, respecting its disruption budget, and verify that its replacement is ready",
        target_kind="pod",
        impact=Impact.MANY,
        needs=(Access("create", "", "pods", "eviction"),),
        sources=("pods", "replicasets", "deployments"),
    ),
    Verb(
        name="promote",
        key="P",
        title="promote",
        sentence="Move the canary to its next step, or fully",
        target_kind="application",
        impact=Impact.ONE_APPLICATION,
        built=False,
    ),
    Verb(
        name="abort",
        key="A",
        title="abort canary",
        sentence="Take all traffic back to stable, then remove the canary",
        target_kind="application",
        impact=Impact.ONE_APPLICATION,
        built=False,
    ),
    Verb(
        name="hold",
        key="H",
        title="hold healing",
        sentence="Hold or resume healerd's actions on the application",
        target_kind="application",
        impact=Impact.ONE_STEP,
        built=False,
    ),
    Verb(
        name="break",
        key="B",
        title="break something",
        sentence="Make something fail on purpose in the sandbox, and watch it heal",
        target_kind="application",
        impact=Impact.ONE_STEP,
        needs=(Access("create", "", "pods", "proxy"),),
        sources=_WORKLOADS,
        practice=True,
    ),
)

VERBS: Mapping[str, Verb] = MappingProxyType({verb.name: verb for verb in _TABLE})
"""All verbs by name, in the order in which footers and helps show them."""


def built_verbs() -> tuple[Verb, ...]:
    """The verbs that this version can run, in order."""
    return tuple(verb for verb in VERBS.values() if verb.built)


def find_verb(name: str) -> Verb:
    """Look a verb up by name.

    Raises:
        BadUsage: It is unknown, or known but not built in this version; the text names what exists.
    """
    known = [verb.name for verb in built_verbs()]
    verb = VERBS.get(name)
    if verb is None:
        raise BadUsage(f"unknown verb '{name}'", did_you_mean(name, known))
    if not verb.built:
        raise BadUsage(f"verb '{name}' is not in this version", f"known: {', '.join(sorted(known))}")
    return verb
