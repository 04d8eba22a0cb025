"""ClusterRoles that are made of others: ``aggregationRule``, as the clusterrole-aggregation controller keeps them."""

from functools import partial
from typing import Any

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.rbac.policy import CLUSTER_ROLES
from selfheal_sandbox.store.objects import Object, labels_of, name_of
from selfheal_sandbox.store.selectors import matches_selector
from selfheal_sandbox.store.store import Change


def aggregated_rules(role: Object, roles: list[Object]) -> list[Any] | None:
    """Return the rules that an aggregated role should have, by name of the role they are from; None if it is none."""
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
    if not selectors:
        return None
    rules: list[Any] = []
    for other in sorted(roles, key=name_of):
        is_source = any(matches_selector(selector, labels_of(other)) for selector in selectors)
        if is_source and name_of(other) != name_of(role):
            rules.extend(rule for rule in other.get("rules") or () if rule not in rules)
    return rules


def keep_aggregated(objects: Objects) -> None:
    """Bring every aggregated role up to date, now and after each change of a ClusterRole."""

    def changed(change: Change) -> None:
        if change.key == CLUSTER_ROLES:
            aggregate(objects)

    objects.store.subscribe(changed)
    aggregate(objects)


def aggregate(objects: Objects) -> None:
    """Write the rules of the first aggregated role that are not what they should be; its write leads to the next."""
    roles = objects.store.list(CLUSTER_ROLES)
    for role in roles:
        rules = aggregated_rules(role, roles)
        if rules is not None and rules != (role.get("rules") or []):
            objects.patch_object(CLUSTER_ROLES, role, partial(_with_rules, rules))
            return


def _with_rules(rules: list[Any], role: Object) -> Object:
    return {**role, "rules": rules}
