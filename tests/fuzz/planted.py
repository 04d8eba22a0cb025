"""Bugs to be found: parts of the sandbox's server, each with one mistake that a server could well make."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.api.eviction import BUDGETS
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.store.history import Change
from selfheal_sandbox.store.objects import Key, Object
from selfheal_sandbox.store.store import ExpiredError, Store
from tests.contract.api import MERGE_PATCH, STRATEGIC_PATCH
from tests.fuzz.pools import GROUP


@dataclass(frozen=True, slots=True)
class Parts:
    """What a server is made of."""

    store: Callable[[], Store]
    objects: Callable[..., Objects]
    middlewares: tuple[Middleware, ...] = ()


class NoConflict(Objects):
    """Takes an update with a stale resource version."""

    def update(self, key: Key, namespace: str, name: str, mutate: Callable[[Object], Object], **options: Any) -> Object:
        def versionless(old: Object) -> Object:
            new = mutate(old)
            metadata = new.get("metadata")
            return {**new, "metadata": {**metadata, "resourceVersion": ""}} if isinstance(metadata, dict) else new

        return super().update(key, namespace, name, versionless, **options)


class EndlessHistory(Store):
    """Goes on from a version that it has forgotten as if nothing was missed, and does not answer 410."""

    def changes_since(self, key: Key, revision: int) -> Iterator[Change]:
        try:
            return super().changes_since(key, revision)
        except ExpiredError:
            return iter(())


class LostFinalizer(Objects):
    """Deletes at once what has a finalizer."""

    def delete(
        self, key: Key, namespace: str, name: str, *, options: DeleteOptions | None = None, dry_run: bool = False
    ) -> Object:
        obj = self.store.get(key, namespace, name)
        if obj is not None and obj["metadata"].get("finalizers"):
            metadata = {field: value for field, value in obj["metadata"].items() if field != "finalizers"}
            self.store.put(key, {**obj, "metadata": metadata})
        return super().delete(key, namespace, name, options=options, dry_run=dry_run)


_evicting: ContextVar[bool] = ContextVar("evicting", default=False)


class NoBudgets(Store):
    """Shows evictions, and nobody else, no PodDisruptionBudget."""

    def list(self, key: Key, namespace: str | None = None) -> list[Object]:
        return [] if key == BUDGETS and _evicting.get() else super().list(key, namespace)


@web.middleware
async def know_evictions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell `NoBudgets` which requests are evictions; each request has a context of its own."""
    before = _evicting.set(request.path.endswith("/eviction"))
    try:
        return await handler(request)
    finally:
        _evicting.reset(before)


@web.middleware
async def merge_instead(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take a strategic merge patch for a plain one, which replaces lists; custom kinds refuse the former as before."""
    if request.content_type != STRATEGIC_PATCH or GROUP in request.path:
        return await handler(request)
    return await handler(request.clone(headers={**request.headers, "Content-Type": MERGE_PATCH}))


BUGS: dict[str, Parts] = {
    "no conflict on a stale version": Parts(Store, NoConflict),
    "no 410 for a forgotten version": Parts(EndlessHistory, Objects),
    "a finalizer is lost on delete": Parts(Store, LostFinalizer),
    "evictions ignore budgets": Parts(NoBudgets, Objects, (know_evictions,)),
    "a strategic patch replaces lists": Parts(Store, Objects, (merge_instead,)),
}
"""By what is wrong."""
