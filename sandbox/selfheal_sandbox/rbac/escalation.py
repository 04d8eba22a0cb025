"""Nobody gives what they do not have: the check on written roles and bindings.

Follows ``k8s.io/kubernetes/pkg/registry/rbac/*/policybased``.
"""

import json
from dataclasses import dataclass

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.rbac.authorizer import MASTERS, RBAC_GROUP, Attributes, Grants, authorize, held_rules
from selfheal_sandbox.rbac.rules import FULL_AUTHORITY, PolicyRule, merged, not_covered, rule_text, rules_of
from selfheal_sandbox.store.objects import Object, name_of, namespace_of

_PLURALS = {"Role": "roles", "ClusterRole": "clusterroles"}
_OF_DELETION = frozenset({"ownerReferences", "finalizers", "managedFields"})


@dataclass(frozen=True, slots=True)
class Giver:
    """Who writes a role or a binding, and what everybody holds.

    Attributes:
        name: of the object in the request's path; "" for a POST, so that a right bound to names does not cover it.
    """

    user: Identity
    grants: Grants
    name: str

    def check(self, resource: Resource, new: Object, old: Object | None) -> None:
        """Refuse to store a role or a binding that gives what the writer does not hold; other kinds pass.

        Raises:
            ApiError: 403, with what is not held; 404, the role of a binding does not exist.
        """
        if resource.group != RBAC_GROUP or MASTERS in self.user.groups or (old and _same_but_for_deletion(new, old)):
            return
        if resource.kind in _PLURALS:
            self._check_role(resource, new, old)
        else:
            self._check_binding(resource, new)

    def _check_role(self, resource: Resource, new: Object, old: Object | None) -> None:
        if self._may("escalate", resource.plural, self.name, namespace_of(new)):
            return
        self._check_rules(resource, new, rules_of(new))
        if (_is_aggregate(new) or (old and _is_aggregate(old))) and self._missing(FULL_AUTHORITY, ""):
            text = "must have cluster-admin privileges to use the aggregationRule"
            raise errors.forbidden(resource, name_of(new), text)

    def _check_binding(self, resource: Resource, new: Object) -> None:
        reference, namespace = new["roleRef"], namespace_of(new)
        plural = _PLURALS[reference["kind"]]
        if self._may("bind", plural, reference["name"], namespace):
            return
        rules = self.grants.role(reference, namespace)
        if rules is None:
            text = f'{plural}.{RBAC_GROUP} "{reference["name"]}" not found'
            raise errors.ApiError(
                404, "NotFound", text, {"name": reference["name"], "group": RBAC_GROUP, "kind": plural}
            )
        self._check_rules(resource, new, rules)

    def _may(self, verb: str, plural: str, name: str, namespace: str) -> bool:
        wanted = Attributes(self.user, verb, RBAC_GROUP, plural, namespace=namespace, name=name)
        return authorize(wanted, self.grants).allowed

    def _missing(self, wanted: tuple[PolicyRule, ...], namespace: str) -> list[PolicyRule]:
        return not_covered(held_rules(self.user, namespace, self.grants), wanted)

    def _check_rules(self, resource: Resource, new: Object, wanted: tuple[PolicyRule, ...]) -> None:
        missing = self._missing(wanted, namespace_of(new))
        if missing:
            listed = "\n".join(sorted({rule_text(rule) for rule in merged(missing)}))
            groups = " ".join(json.dumps(group) for group in self.user.groups)
            text = (
                f'user "{self.user.username}" (groups=[{groups}]) is attempting to grant RBAC permissions not '
                f"currently held:\n{listed}"
            )
            raise errors.forbidden(resource, name_of(new), text)


def _is_aggregate(role: Object) -> bool:
    return bool((role.get("aggregationRule") or {}).get("clusterRoleSelectors"))


def _same_but_for_deletion(new: Object, old: Object) -> bool:
    """Return whether nothing changes but what the garbage collector has to write before it can delete an object."""
    return _without(new) == _without(old)


def _without(obj: Object) -> Object:
    metadata = {field: value for field, value in obj["metadata"].items() if field not in _OF_DELETION}
    return {**obj, "metadata": metadata}
