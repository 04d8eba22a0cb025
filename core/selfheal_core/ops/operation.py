"""The words of an operation: what is asked, what it would do, and how far it is.

A verb is a definition in the registry; an operation is one request of it. Preview -> confirm -> run -> verify: the
preview carries a precondition, and a world that moved since then refuses the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal


class Impact(IntEnum):
    """How much a verb can cost; friction grows with it."""

    NONE = 0
    UNDOABLE = 1
    ONE_STEP = 2
    ONE_APPLICATION = 3
    MANY = 4


Confirmation = Literal["none", "countdown", "letter", "type name", "type context"]
CONFIRMATION: Mapping[Impact, Confirmation] = {
    Impact.NONE: "none",
    Impact.UNDOABLE: "countdown",
    Impact.ONE_STEP: "letter",
    Impact.ONE_APPLICATION: "type name",
    Impact.MANY: "type context",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a verb is aimed at.

    Attributes:
        kind: ``application`` or ``pod``.
        name: Name of the application or pod.
        application: Name of the application that a pod belongs to; equals ``name`` for an application.
        uid: The pod's uid; "" for an application.
    """

    kind: Literal["application", "pod"]
    namespace: str
    name: str
    application: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """One permission a verb needs, as a SelfSubjectAccessReview asks for it."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource}{'.' + self.group if self.group else ''}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value a parameter can take, with the sentence that helps to choose."""

    value: str
    title: str
    recommended: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen, computed from fresh data.

    Attributes:
        lines: (label, sentence) pairs in reading order, e.g. ``("from", "revision 7 ...")``.
        same_as: The command that would do the same by hand.
        precondition: Facts that must still hold when it runs (uid, revision, resourceVersion, readiness), by name.
        confirm_word: What has to be typed for ``type name`` and ``type context``.
        refusal: Why it can't run at all; "" if it can.
        parameters: Those it was computed with, defaults filled in (``{"revision": "6"}``).
        choices: Values for a parameter that the operator may change, by parameter name.
        diff: Full difference, unified format; "" where there is none.
        computed_at: Seconds since the epoch.
    """

    verb: str
    target: Target
    impact: Impact
    title: str
    lines: tuple[tuple[str, str], ...]
    same_as: str
    precondition: Mapping[str, str]
    confirm_word: str = ""
    refusal: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    diff: str = ""
    computed_at: float = 0.0

    @property
    def confirmation(self) -> Confirmation:
        """How the operator has to confirm."""
        return CONFIRMATION[self.impact]


Phase = Literal[
    "pending", "accepted", "running", "verifying", "recovered", "not verified", "refused", "failed", "cancelled"
]
FINAL_PHASES: frozenset[Phase] = frozenset({"recovered", "not verified", "refused", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a running operation, in words.

    Attributes:
        at: Seconds since the epoch.
        next_step: What to type or do, for phases that end badly.
    """

    operation_id: str
    phase: Phase
    text: str
    at: float
    next_step: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self.phase in FINAL_PHASES
