"""Differences that stay: each is one field or verb, has its reason, and is a line of the sandbox's limits."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.fuzz.comparing import Difference


@dataclass(frozen=True, slots=True)
class Allowed:
    """One difference that is no defect.

    Attributes:
        name: as reports show it, and as ``docs/reference/sandbox-limits.md`` has it.
        reason: why it stays.
        verbs: regular expression; of the whole verb.
        kinds: of the whole kind.
        field: of the whole field, see `Difference.field`.
        real: what Kubernetes has there; found anywhere in it.
        sandbox: what the sandbox has there; found anywhere in it.
    """

    name: str
    reason: str
    verbs: str = ".*"
    kinds: str = ".*"
    field: str = ".*"
    real: str = ""
    sandbox: str = ""

    def covers(self, difference: Difference) -> bool:
        """Return whether a difference is this one."""
        return bool(
            re.fullmatch(self.verbs, difference.call.verb)
            and re.fullmatch(self.kinds, difference.call.kind)
            and re.fullmatch(self.field, difference.field)
            and re.search(self.real, difference.real)
            and re.search(self.sandbox, difference.sandbox)
        )


LIMIT = 25
"""More entries would hide what the comparison is for."""

ALLOWED: tuple[Allowed, ...] = (
    Allowed(
        "apiVersion and kind of the items of a list",
        "clients that know the list's kind ignore them, and those that do not are helped",
        field=r"items\[\]\.(apiVersion|kind)",
        real="nothing",
    ),
    Allowed(
        "internalTrafficPolicy of a Service that becomes an ExternalName",
        "Kubernetes stores it on, shows it in watches and deletions alone, and the type has no use for it",
        kinds="Service",
        field=r"(.*\.)?(managedFields\[\]\.fieldsV1\.f:spec\.f:|spec\.)internalTrafficPolicy",
    ),
    Allowed(
        "an applied map where a number or a text must be",
        "both refuse it, Kubernetes after it has told of conflicts",
        verbs="apply",
        field="code",
        real="^409 Apply failed",
        sandbox="^500 failed to create typed patch object .*cannot unmarshal object",
    ),
    Allowed(
        "a Service without a name",
        "Kubernetes looks for an address first, and tells that it found none for it",
        verbs="create",
        kinds="Service",
        field=r"causes\[\]",
        real="spec.clusterIPs: FieldValueInvalid",
        sandbox="metadata.name: FieldValueRequired",
    ),
    Allowed(
        "a patch that takes a key from an immutable Secret without data",
        "Kubernetes tells an empty map from none there, and nobody takes away what is not there",
        verbs="patch",
        kinds="Secret",
        field="code",
        real="data: Forbidden: field is immutable",
        sandbox="^200",
    ),
    Allowed(
        "owner of an autoscaler's metrics",
        "Kubernetes gives some amounts, such as 1000Mi, to whoever writes next; nobody acts on that owner",
        kinds="HorizontalPodAutoscaler",
        field=r".*managedFields\[\]\.fieldsV1\.f:spec\.f:metrics",
    ),
    Allowed(
        "warnings about the content of a TLS Secret",
        "the sandbox reads no certificates",
        kinds="Secret",
        field="warnings",
        real="PEM data",
    ),
)


def excuse(difference: Difference) -> Allowed | None:
    """Return the entry that covers a difference, or None for a defect."""
    return next((entry for entry in ALLOWED if entry.covers(difference)), None)


def judged(found: Iterable[Difference]) -> tuple[list[Difference], Counter[str]]:
    """Return the defects among the differences of one sequence, and how often each entry excused one."""
    defects: list[Difference] = []
    excused: Counter[str] = Counter()
    for difference in found:
        entry = excuse(difference)
        if entry is None:
            defects.append(difference)
        else:
            excused[entry.name] += 1
    return defects, excused
