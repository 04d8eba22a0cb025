"""The verbs on objects: what HTTP requests, controllers and the kubelet all call.

Two ways in. `create`, `update` and `delete` are the full pipeline of an API server: defaulting, validation,
generation, managed fields. `set_status` and `patch_object` are the cheap way for the sandbox's own controllers, which
write valid objects. All of them are synchronous, so a read and the write that follows it in one step are atomic.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeAlias

from selfheal_sandbox.api import admission, custom_resources, errors, managed_fields, strategies
from selfheal_sandbox.api.deletion import DeleteOptions, Removal, Termination, decide, is_finished
from selfheal_sandbox.api.events import EventRecorder, EventType
from selfheal_sandbox.api.ports import ServiceAddresses
from selfheal_sandbox.kinds import workload_warnings
from selfheal_sandbox.kinds.registry import Registry, Resource
from selfheal_sandbox.kinds.service_warnings import service_warnings
from selfheal_sandbox.store.objects import Key, Object, is_terminating, name_of, namespace_of, uid_of
from selfheal_sandbox.store.store import Store

Strictness: TypeAlias = Literal["Ignore", "Warn", "Strict"]
"""What happens to fields the schema does not know: dropped from sight, told in a warning, or refused."""

Check: TypeAlias = Callable[[Resource, Object, Object | None], None]
"""Looks at (resource, new object, old object or None) before it is stored; raises `ApiError` to refuse it."""

NAMESPACES: Key = ("", "namespaces")
SERVICES: Key = ("", "services")
SERVICE_ACCOUNTS: Key = ("", "serviceaccounts")
DEFAULT_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
IMMORTAL_NAMESPACES = frozenset({"default", "kube-public", "kube-system"})


class Objects:
    """The verbs over one store.

    Starts with what the store holds, and with the four namespaces of every cluster.

    Attributes:
        store: the objects; read from it freely, write through the verbs.
        registry: which resources are served.
        clock: tells the time.
        addresses: gives Services their cluster IPs; None leaves them without.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Callable[[], datetime],
        *,
        addresses: ServiceAddresses | None = None,
    ) -> None:
        self.store = store
        self.registry = registry
        self.clock = clock
        self.addresses = addresses
        self._events = EventRecorder(store, clock)
        self._resources: dict[Key, Resource] = {}
        self._resources_generation = -1
        for definition in store.list(custom_resources.KEY):
            custom_resources.register(registry, None, definition)
        for name in DEFAULT_NAMESPACES:
            if store.get(NAMESPACES, "", name) is None:
                self.create(NAMESPACES, "", {"metadata": {"name": name}})

    def resource(self, key: Key) -> Resource:
        """Return the resource of a key in the version its objects are stored in.

        Raises:
            ApiError: 404, nothing of this key is served.
        """
        if self._resources_generation != self.registry.generation:
            self._resources.clear()
            self._resources_generation = self.registry.generation
        resource = self._resources.get(key)
        if resource is None:
            try:
                resource = self._resources[key] = self.registry.by_key(key)
            except KeyError:
                raise errors.no_such_path() from None
        return resource

    def get(self, key: Key, namespace: str, name: str) -> Object:
        """Return one object; do not change it.

        Raises:
            ApiError: 404, there is none.
        """
        obj = self.store.get(key, namespace, name)
        if obj is None:
            raise errors.not_found(self.resource(key), name)
        return obj

    def create(
        self,
        key: Key,
        namespace: str,
        obj: Object,
        *,
        manager: str = "",
        dry_run: bool = False,
        warnings: list[str] | None = None,
        strictness: Strictness = "Warn",
        check: Check | None = None,
        by_update: bool = False,
    ) -> Object:
        """Create an object and return it as stored; ``obj`` itself is not changed.

        Args:
            key: what to create.
            namespace: where; "" for cluster-scoped kinds.
            obj: in the stored version; ``apiVersion`` and ``kind`` may be missing.
            manager: field manager that owns the fields; "" keeps no managed fields (or those in ``obj``).
            dry_run: do everything except storing it.
            warnings: where texts for the user are added.
            strictness: what to do with unknown fields.
            check: has the last word on whether the object may be stored.
            by_update: a replacement or an application creates it; see `admission.prepare_new`.

        Raises:
            ApiError: 400 wrong types, 403 or 404 about the namespace, 409 exists, 422 against the rules.
        """
        resource = self.resource(key)
        now = self.clock()
        new = admission.prepare_new(resource, namespace, obj, now, by_update=by_update)
        self._check_namespace(resource, new)
        admission.validate(resource, new, None, admission.decode(resource, new, None, strictness, warnings))
        if warnings is not None:
            warnings.extend(workload_warnings.creation_warnings(resource, new))
            warnings.extend(service_warnings(resource, new))
        if check is not None:
            check(resource, new, None)
        strategies.prepare_create(resource, new)
        taken = self.store.get(key, namespace_of(new), name_of(new))
        if taken is not None:
            raise errors.already_exists(resource, name_of(new), terminating=is_terminating(taken))
        if manager:
            managed_fields.track(resource, None, new, manager, "", now)
        strategies.complete_created(resource, new)
        if key == SERVICES:
            strategies.assign_cluster_ip(new, self.store.list(SERVICES), self.addresses)
        if dry_run:
            strategies.release_cluster_ip(new, self.addresses if key == SERVICES else None)
            return new
        self.store.put(key, new)
        self._after_write(key, None, new)
        return self.store.get(key, namespace_of(new), name_of(new)) or new

    def update(
        self,
        key: Key,
        namespace: str,
        name: str,
        mutate: Callable[[Object], Object],
        *,
        manager: str = "",
        subresource: str = "",
        dry_run: bool = False,
        warnings: list[str] | None = None,
        strictness: Strictness = "Warn",
        check: Check | None = None,
    ) -> Object:
        """Change an object and return it as stored; nothing is written when nothing changed.

        Args:
            key: what to change.
            namespace: where; "" for cluster-scoped kinds.
            name: which.
            mutate: makes the new object from the old one, which it must not change; they may share parts.
                A ``metadata.resourceVersion`` or ``uid`` in the new object is a precondition.
            manager: field manager that owns what changed; "" keeps the managed fields of the new object.
            subresource: "status" changes nothing but the status, "" everything else; "scale" and "finalize" count as
                the main resource.
            dry_run: do everything except storing it.
            warnings: where texts for the user are added.
            strictness: what to do with unknown fields.
            check: has the last word on whether the object may be stored.

        Raises:
            ApiError: 400 wrong types, 404 not there, 409 precondition, 422 against the rules.
        """
        resource = self.resource(key)
        old = self.get(key, namespace, name)
        new = admission.prepare_changed(resource, old, mutate(old), subresource)
        problems = admission.decode(resource, new, old, strictness, warnings)
        if manager:  # of what the client sent: what is kept for it below has no new owner
            managed_fields.track(resource, old, new, manager, subresource, self.clock())
        admission.keep_deletion(old, new)
        if not subresource:
            strategies.complete_updated(resource, new)
        strategies.prepare_update(resource, old, new)
        admission.validate(resource, new, old, problems)
        if check is not None:
            check(resource, new, old)
        if subresource != "status":
            admission.bump_generation(old, new, counts_annotations=resource.kind == "Deployment")
        if warnings is not None:
            warnings.extend(workload_warnings.change_warnings(resource, old, new))
            warnings.extend(service_warnings(resource, new) if subresource != "status" else ())
        if key == SERVICES:
            strategies.reassign_cluster_ip(old, new, self.store.list(SERVICES), self.addresses)
        if admission.is_unchanged(old, new) and not is_finished(new):
            return old
        if dry_run:
            strategies.release_other_cluster_ip(new, old, self.addresses if key == SERVICES else None)
            return new
        return self._write(key, old, new)

    def set_status(self, key: Key, obj: Object, status: Object) -> Object | None:
        """Replace an object's status without any checks; for the sandbox's own controllers.

        Returns:
            The stored object (unchanged when the status is equal), or None when the object is gone or another one
            (told by its uid) has its name.
        """
        current = self.store.get(key, namespace_of(obj), name_of(obj))
        if current is None or uid_of(current) != uid_of(obj):
            return None
        if current.get("status") == status:
            return current
        return self.store.put(key, {**current, "metadata": dict(current["metadata"]), "status": status})

    def patch_object(self, key: Key, obj: Object, change: Callable[[Object], Object]) -> Object:
        """Change an object without any checks; for the sandbox's own controllers.

        The generation goes up when anything but metadata and status changed; a terminating object that loses its last
        finalizer is removed. ``change`` gets the stored object, must not change it, and returns a new one.

        Raises:
            ApiError: 404, the object is gone; 409, another one (told by its uid) has its name.
        """
        current = self.get(key, namespace_of(obj), name_of(obj))
        if uid_of(current) != uid_of(obj):
            raise errors.conflict(self.resource(key), name_of(obj), "the object was replaced by another one")
        changed = change(current)
        new = {**changed, "metadata": dict(changed["metadata"])}
        admission.bump_generation(current, new)
        if new == current:
            return current
        return self._write(key, current, new)

    def delete(
        self, key: Key, namespace: str, name: str, *, options: DeleteOptions | None = None, dry_run: bool = False
    ) -> Object:
        """Ask for an object's deletion and return its last state.

        A pod on a node gets a ``deletionTimestamp`` and stays for its grace period: the kubelet ends it with a grace of
        0. An object with finalizers stays until they are taken away. With ``Orphan`` and ``Foreground`` it waits for
        the garbage collector, which sees to its dependents.

        Raises:
            ApiError: 403 a namespace that every cluster has, 404 not there, 409 precondition.
        """
        options = options or DeleteOptions()
        resource = self.resource(key)
        obj = self.get(key, namespace, name)
        self._check_preconditions(resource, obj, options)
        if key == NAMESPACES and name in IMMORTAL_NAMESPACES:
            raise errors.forbidden(resource, name, "this namespace may not be deleted")
        outcome = decide(obj, options, now=self.clock())
        if dry_run or options.dry_run:
            return outcome.obj if isinstance(outcome, Termination) else obj
        if isinstance(outcome, Removal):
            return self._remove(key, obj)
        if is_finished(outcome.obj):
            return self._remove(key, self.store.put(key, {**outcome.obj, "metadata": dict(outcome.obj["metadata"])}))
        if outcome.obj is obj:
            return obj
        return self.store.put(key, {**outcome.obj, "metadata": dict(outcome.obj["metadata"])})

    def record_event(
        self,
        obj: Object,
        reason: str,
        message: str,
        *,
        type: EventType = "Normal",  # noqa: A002 (named as the field is)
        component: str,
    ) -> None:
        """Write an Event about ``obj``; equal ones are counted in one object, as on a cluster."""
        self._events.record(obj, reason, message, type, component)

    def _check_namespace(self, resource: Resource, obj: Object) -> None:
        if not resource.namespaced:
            return
        name = namespace_of(obj)
        namespace = self.store.get(NAMESPACES, "", name)
        if namespace is None:
            raise errors.not_found(self.resource(NAMESPACES), name)
        if is_terminating(namespace):
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            text = f"unable to create new content in namespace {name} because it is being terminated"
            raise errors.forbidden(resource, name_of(obj), text, [cause])

    def _check_preconditions(self, resource: Resource, obj: Object, options: DeleteOptions) -> None:
        uid, version = uid_of(obj), obj["metadata"]["resourceVersion"]
        if options.uid not in (None, uid):
            text = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
                "The object might have been deleted and then recreated"
            )
            raise errors.failed_precondition(resource, name_of(obj), text)
        if options.resource_version not in (None, version):
            text = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
                f"ResourceVersion in record ({version}). The object might have been modified"
            )
            raise errors.failed_precondition(resource, name_of(obj), text)

    def _write(self, key: Key, old: Object, new: Object) -> Object:
        if is_finished(new):  # as on a cluster, what is gone is the object as it was stored
            self._remove(key, old)
            return new
        self.store.put(key, new)
        self._after_write(key, old, new)
        return self.store.get(key, namespace_of(new), name_of(new)) or new

    def _after_write(self, key: Key, old: Object | None, new: Object) -> None:
        """Do what a write brings with it: new kinds to serve, addresses given back, a namespace's service account."""
        if key == custom_resources.KEY and (old is None or old.get("spec") != new.get("spec")):
            custom_resources.register(self.registry, old, new)
            self.set_status(key, new, custom_resources.established_status(new, self.clock()))
        elif key == SERVICES and old is not None:
            strategies.release_other_cluster_ip(old, new, self.addresses)
        elif key == NAMESPACES and old is None:
            self.create(SERVICE_ACCOUNTS, name_of(new), {"metadata": {"name": "default"}})

    def _remove(self, key: Key, obj: Object) -> Object:
        removed = self.store.remove(key, namespace_of(obj), name_of(obj)) or obj
        if key == custom_resources.KEY:
            self._remove_custom_kind(removed)
        elif key == SERVICES:
            strategies.release_cluster_ip(removed, self.addresses)
        return removed

    def _remove_custom_kind(self, definition: Object) -> None:
        """Remove every object of a custom kind with its definition; their finalizers are not waited for."""
        key = custom_resources.served_key(definition)
        for obj in self.store.list(key):
            self.store.remove(key, namespace_of(obj), name_of(obj))
        custom_resources.unregister(self.registry, definition)
