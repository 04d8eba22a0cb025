"""Policy rules: what one allows, which rules cover others, and how a cluster words them.

Follows ``k8s.io/kubernetes/pkg/apis/rbac/v1/evaluation_helpers.go`` and
``k8s.io/component-helpers/auth/rbac/validation``.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from selfheal_sandbox.store.objects import Object

ALL = "*"


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a role. A rule about ``non_resource_urls`` says nothing about resources.

    Attributes:
        verbs: ``*`` means all; so it does in the fields below.
        api_groups: "" is the core group.
        resources: such as ``pods``, ``pods/log`` or ``*/scale``.
        resource_names: the only objects it is about; empty for all.
        non_resource_urls: paths; a ``*`` at the end stands for whatever follows.
    """

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
        """Return whether it allows a verb on a resource; ``name`` is "" for a collection."""
        return (
            (ALL in self.verbs or verb in self.verbs)
            and (ALL in self.api_groups or group in self.api_groups)
            and _names_resource(self.resources, resource, subresource)
            and (not self.resource_names or name in self.resource_names)
        )

    def allows_path(self, verb: str, path: str) -> bool:
        """Return whether it allows a verb on a path that is no resource."""
        return (ALL in self.verbs or verb in self.verbs) and _names_path(self.non_resource_urls, path)


FULL_AUTHORITY = (
    PolicyRule(verbs=(ALL,), api_groups=(ALL,), resources=(ALL,)),
    PolicyRule(verbs=(ALL,), non_resource_urls=(ALL,)),
)
"""What only a cluster administrator holds."""


def rules_of(role: Object) -> tuple[PolicyRule, ...]:
    """Return the rules of a Role or ClusterRole as stored."""
    return tuple(rule_of(rule) for rule in role.get("rules") or ())


def rule_of(rule: Object) -> PolicyRule:
    """Read a rule."""
    return PolicyRule(
        verbs=tuple(rule.get("verbs") or ()),
        api_groups=tuple(rule.get("apiGroups") or ()),
        resources=tuple(rule.get("resources") or ()),
        resource_names=tuple(rule.get("resourceNames") or ()),
        non_resource_urls=tuple(rule.get("nonResourceURLs") or ()),
    )


def _names_resource(listed: Sequence[str], resource: str, subresource: str) -> bool:
    if not subresource:
        return resource in listed or ALL in listed
    return f"{resource}/{subresource}" in listed or f"*/{subresource}" in listed or ALL in listed


def _names_path(listed: Sequence[str], path: str) -> bool:
    return any(url in (ALL, path) or (url.endswith(ALL) and path.startswith(url[:-1])) for url in listed)


def not_covered(owned: Sequence[PolicyRule], wanted: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Return what of ``wanted`` somebody who holds ``owned`` does not hold, as rules about one verb on one thing."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(one, part) for one in owned)]


def _parts(rule: PolicyRule) -> list[PolicyRule]:
    """Split a rule into rules about one verb on one thing."""
    names: Sequence[tuple[str, ...]] = [(name,) for name in rule.resource_names] or [()]
    about_resources = [
        PolicyRule((verb,), (group,), (resource,), name)
        for group, resource, verb, name in itertools.product(rule.api_groups, rule.resources, rule.verbs, names)
    ]
    about_paths = [
        PolicyRule(verbs=(verb,), non_resource_urls=(url,))
        for url, verb in itertools.product(rule.non_resource_urls, rule.verbs)
    ]
    return about_resources + about_paths


def _covers(owned: PolicyRule, part: PolicyRule) -> bool:
    verb = part.verbs[0]
    if part.non_resource_urls:
        return owned.allows_path(verb, part.non_resource_urls[0])
    resource, _, subresource = part.resources[0].partition("/")
    if not part.resource_names and owned.resource_names:
        return False
    return all(
        owned.allows(verb, part.api_groups[0], resource, subresource, name) for name in part.resource_names or ("",)
    )


def merged(parts: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Return rules about the same thing as one rule with all of their verbs."""
    found: dict[PolicyRule, PolicyRule] = {}
    for part in parts:
        about = replace(part, verbs=())
        before = found.get(about, about)
        found[about] = replace(about, verbs=tuple(dict.fromkeys((*before.verbs, *part.verbs))))
    return list(found.values())


def rule_text(rule: PolicyRule) -> str:
    """Return a rule as errors of a cluster show it: ``{APIGroups:[""], Resources:["pods"], Verbs:["list"]}``."""
    fields = (
        ("APIGroups", rule.api_groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.non_resource_urls),
        ("ResourceNames", rule.resource_names),
        ("Verbs", rule.verbs),
    )
    shown = (f"{name}:[{' '.join(json.dumps(value) for value in values)}]" for name, values in fields if values)
    return f"{{{', '.join(shown)}}}"
