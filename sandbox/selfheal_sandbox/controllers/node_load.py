"""An index over pods: which run on a node, and what they request together."""

from typing import NamedTuple

from selfheal_sandbox.controllers.availability import FINISHED_PHASES
from selfheal_sandbox.controllers.keys import PODS
from selfheal_sandbox.controllers.pod_requests import Requests, requests_of
from selfheal_sandbox.store.objects import Object, spec_of, status_of, uid_of
from selfheal_sandbox.store.store import Change, Store


class _Share(NamedTuple):
    node: str
    requests: Requests


class NodeLoad:
    """Follows every change of a pod; a pod that has ended takes no room."""

    def __init__(self, store: Store) -> None:
        self._pods: dict[str, dict[str, Object]] = {}
        self._used: dict[str, Requests] = {}
        self._shares: dict[str, _Share] = {}
        for pod in store.list(PODS):
            self._set(pod)

    def observe(self, change: Change) -> None:
        """Follow one change."""
        if change.key != PODS:
            return
        if change.type == "DELETED":
            self._drop(uid_of(change.new.obj))
        else:
            self._set(change.new.obj)

    def pods_on(self, node: str) -> tuple[Object, ...]:
        """Return the pods on a node that have not ended."""
        return tuple(self._pods.get(node, {}).values())

    def used_on(self, node: str) -> Requests:
        """Return what the pods on a node request together."""
        return self._used.get(node, Requests())

    def _set(self, pod: Object) -> None:
        uid, node = uid_of(pod), spec_of(pod).get("nodeName")
        if not node or status_of(pod).get("phase") in FINISHED_PHASES:
            self._drop(uid)
            return
        if uid not in self._shares:
            self._shares[uid] = _Share(node, requests_of(pod))
            self._used[node] = self.used_on(node) + self._shares[uid].requests
        self._pods.setdefault(node, {})[uid] = pod

    def _drop(self, uid: str) -> None:
        share = self._shares.pop(uid, None)
        if share is not None:
            self._used[share.node] = self.used_on(share.node) - share.requests
            del self._pods[share.node][uid]
