"""May somebody do something? A pure function over an index of roles and bindings, as Kubernetes' RBAC answers it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.rbac.rules import FULL_AUTHORITY, PolicyRule, rules_of
from selfheal_sandbox.store.objects import Object, name_of, namespace_of

RBAC_GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
"""Whoever is in this group may do everything, whatever the roles say."""

Subject: TypeAlias = tuple[str, str]
"""("User" or "Group", name); a service account is the user ``system:serviceaccount:NAMESPACE:NAME``."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request wants, as an authorizer sees it.

    Attributes:
        verb: ``get``, ``list``, ``watch``, ``create``, ...; the HTTP method in lower case for a path.
        namespace: "" at the cluster's scope.
        name: "" for a collection.
        path: of a request about no resource; "" otherwise.
    """

    user: Identity
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, with the binding that allows it, or what was wrong with one that might have."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one binding gives to one subject.

    Attributes:
        reason: which binding, role and subject.
        missing: the error of a binding whose role does not exist; "" otherwise.
    """

    rules: tuple[PolicyRule, ...]
    reason: str
    missing: str = ""


class Grants:
    """Every binding of a cluster by subject and namespace; never changed once made.

    Args:
        roles: Roles and ClusterRoles.
        bindings: RoleBindings and ClusterRoleBindings.
    """

    def __init__(self, roles: Iterable[Object], bindings: Iterable[Object]) -> None:
        self._roles = {(role["kind"], namespace_of(role), name_of(role)): rules_of(role) for role in roles}
        self._grants: dict[tuple[Subject, str], list[Grant]] = {}
        for binding in bindings:
            for subject in binding.get("subjects") or ():
                place = subject_of(subject, namespace_of(binding)), namespace_of(binding)
                self._grants.setdefault(place, []).append(self._grant(binding, subject))

    def role(self, reference: Mapping[str, str], namespace: str) -> tuple[PolicyRule, ...] | None:
        """Return the rules of a ``roleRef`` in a binding of a namespace ("": a ClusterRoleBinding); None if unknown."""
        kind = reference["kind"]
        return self._roles.get((kind, namespace if kind == "Role" else "", reference["name"]))

    def of(self, user: Identity, namespace: str) -> Iterator[Grant]:
        """Yield what somebody was given: everywhere, and in a namespace unless it is ""."""
        for place in ("", namespace) if namespace else ("",):
            for subject in subjects_of(user):
                yield from self._grants.get((subject, place), ())

    def _grant(self, binding: Object, subject: Object) -> Grant:
        reference, namespace = binding["roleRef"], namespace_of(binding)
        name = f"{name_of(binding)}/{namespace}" if namespace else name_of(binding)
        role = f'{reference["kind"]} "{reference["name"]}"'
        reason = f'{binding["kind"]} "{name}" of {role} to {_subject_text(subject, namespace)}'
        rules = self.role(reference, namespace)
        if rules is None:
            plural = f"{reference['kind'].lower()}.{RBAC_GROUP}"
            return Grant((), reason, f'{plural} "{reference["name"]}" not found')
        return Grant(rules, reason)


def authorize(attributes: Attributes, grants: Grants) -> Decision:
    """Decide whether a request is allowed."""
    user = attributes.user
    if MASTERS in user.groups:
        return Decision(True)
    problems = []
    for grant in grants.of(user, attributes.namespace):
        if any(_allows(rule, attributes) for rule in grant.rules):
            return Decision(True, f"RBAC: allowed by {grant.reason}")
        if grant.missing:
            problems.append(grant.missing)
    if not problems:
        return Decision(False)
    listed = ", ".join(dict.fromkeys(problems))
    return Decision(False, f"RBAC: [{listed}]" if len(problems) > 1 else f"RBAC: {listed}")


def _allows(rule: PolicyRule, wanted: Attributes) -> bool:
    if wanted.path:
        return rule.allows_path(wanted.verb, wanted.path)
    return rule.allows(wanted.verb, wanted.group, wanted.resource, wanted.subresource, wanted.name)


def held_rules(user: Identity, namespace: str, grants: Grants) -> list[PolicyRule]:
    """Return every rule that somebody holds in a namespace, those of the whole cluster included."""
    if MASTERS in user.groups:
        return list(FULL_AUTHORITY)
    return [rule for grant in grants.of(user, namespace) for rule in grant.rules]


def subject_of(subject: Mapping[str, str], namespace: str) -> Subject:
    """Return the subject of a binding; a service account without a namespace is one of the binding's."""
    if subject["kind"] == "ServiceAccount":
        return "User", account_username(subject.get("namespace") or namespace, subject["name"])
    return subject["kind"], subject["name"]


def subjects_of(user: Identity) -> Iterator[Subject]:
    """Yield the subjects that somebody is."""
    yield "User", user.username
    for group in user.groups:
        yield "Group", group


def account_username(namespace: str, name: str) -> str:
    """Return the user name of a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """Return the groups of every service account of a namespace."""
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"


def _subject_text(subject: Mapping[str, str], namespace: str) -> str:
    if subject["kind"] == "ServiceAccount":
        return f'ServiceAccount "{subject["name"]}/{subject.get("namespace") or namespace}"'
    return f'{subject["kind"]} "{subject["name"]}"'
