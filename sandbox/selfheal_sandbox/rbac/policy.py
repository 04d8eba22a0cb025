"""The roles and bindings in force: the index over the store, made anew after a change."""

from selfheal_sandbox.rbac.authorizer import RBAC_GROUP, Attributes, Decision, Grants, authorize
from selfheal_sandbox.store.objects import Key
from selfheal_sandbox.store.store import Change, Store

ROLES: Key = (RBAC_GROUP, "roles")
CLUSTER_ROLES: Key = (RBAC_GROUP, "clusterroles")
ROLE_BINDINGS: Key = (RBAC_GROUP, "rolebindings")
CLUSTER_ROLE_BINDINGS: Key = (RBAC_GROUP, "clusterrolebindings")
KEYS = frozenset({ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS})


class Policy:
    """Answers from what the store holds now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._grants: Grants | None = None
        store.subscribe(self._forget)

    def grants(self) -> Grants:
        """Return the index."""
        if self._grants is None:
            store = self._store
            roles = [*store.list(CLUSTER_ROLES), *store.list(ROLES)]
            self._grants = Grants(roles, [*store.list(CLUSTER_ROLE_BINDINGS), *store.list(ROLE_BINDINGS)])
        return self._grants

    def decide(self, attributes: Attributes) -> Decision:
        """Decide whether a request is allowed."""
        return authorize(attributes, self.grants())

    def _forget(self, change: Change) -> None:
        if change.key in KEYS:
            self._grants = None
