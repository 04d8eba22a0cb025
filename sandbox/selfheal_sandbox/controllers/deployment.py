"""The Deployment controller: one ReplicaSet for each template, and the way from one to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.availability import FINISHED_PHASES, count_pods
from selfheal_sandbox.controllers.claims import adopted, claim, released
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict
from selfheal_sandbox.controllers.controller import Place, differs, intent, newest, place_of, states
from selfheal_sandbox.controllers.keys import DEPLOYMENTS, PODS, REPLICA_SETS
from selfheal_sandbox.controllers.ownership import Ownership
from selfheal_sandbox.controllers.replicaset import is_namespace_going, replica_facts
from selfheal_sandbox.controllers.revisions import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    next_revision,
    number_of,
    replica_set_annotations,
    size_annotations,
    surplus,
)
from selfheal_sandbox.controllers.rollout import Limits, ReplicaCounts, limits_of, new_replicas, old_replicas, resize
from selfheal_sandbox.controllers.rollout_status import (
    PROGRESSING,
    REPLICA_FAILURE,
    Progress,
    deadline,
    has_deadline,
    is_complete,
    pause_verdict,
    status_for,
)
from selfheal_sandbox.controllers.templates import HASH_LABEL, labelled, same_template, template_hash
from selfheal_sandbox.store.objects import (
    Object,
    annotations_of,
    condition,
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    spec_of,
    status_of,
    uid_of,
    with_metadata,
    with_spec,
)
from selfheal_sandbox.store.selectors import matches_selector
from selfheal_sandbox.store.store import Change

_COMPONENT = "deployment-controller"
_AFTER_DEADLINE_SECONDS = 1.0
"""Times have whole seconds, so a deadline is looked at a second after it."""


@dataclass(frozen=True, slots=True)
class Family:
    """A Deployment's ReplicaSets and their pods.

    Attributes:
        new: the ReplicaSet of the Deployment's present template, if there is one.
        old: the others, oldest first.
        pods: the pods of each ReplicaSet, by its uid.
    """

    new: Object | None
    old: list[Object]
    pods: Mapping[str, list[Object]]

    @property
    def everyone(self) -> list[Object]:
        """All ReplicaSets."""
        return [*self.old, *([self.new] if self.new else [])]


class DeploymentController:
    """Rolls Deployments out and reports how far they are.

    Availability is counted on the pods themselves rather than read from the ReplicaSets' statuses, so that a scale-down
    never rests on a count that is a moment old.
    """

    name = "deployment"
    watches = frozenset({DEPLOYMENTS, REPLICA_SETS, PODS})

    def __init__(self, objects: Objects, ownership: Ownership) -> None:
        self._objects = objects
        self._ownership = ownership

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the Deployments that a change of a Deployment, a ReplicaSet or a pod concerns."""
        if change.key == DEPLOYMENTS:
            return [place_of(newest(change))] if differs(change, intent) else []
        if change.key == REPLICA_SETS:
            relevant = differs(change, intent) or differs(change, status_of)
            return {place for each in states(change) for place in self._owners(each)} if relevant else []
        if not differs(change, replica_facts):
            return []
        return {place for pod in states(change) for place in self._owners_of_pod(pod)}

    def everything(self) -> Iterable[Place]:
        """Return every Deployment."""
        return [place_of(each) for each in self._objects.store.list(DEPLOYMENTS)]

    def reconcile(self, item: Place) -> float | None:
        """Take the next step of one Deployment's rollout and update its status.

        Raises:
            ApiError: the new ReplicaSet could not be created.
        """
        deployment = self._objects.store.get(DEPLOYMENTS, *item)
        if deployment is None:
            return None
        limits = limits_of(spec_of(deployment))
        if not is_terminating(deployment):
            self._step_unless_namespace_goes(self._note_pause(deployment), limits)
        return self._write_status(item, limits)

    # What belongs to a Deployment

    def _owners(self, replica_set: Object) -> list[Place]:
        owner = controller_of(replica_set)
        namespace = namespace_of(replica_set)
        if owner is not None:
            return [Place(namespace, owner["name"])] if owner["kind"] == "Deployment" else []
        labels = labels_of(replica_set)
        candidates = self._objects.store.list(DEPLOYMENTS, namespace)
        return [place_of(each) for each in candidates if matches_selector(spec_of(each).get("selector"), labels)]

    def _owners_of_pod(self, pod: Object) -> list[Place]:
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "ReplicaSet":
            return []
        replica_set = self._objects.store.get(REPLICA_SETS, namespace_of(pod), owner["name"])
        return self._owners(replica_set) if replica_set else []

    def _family(self, deployment: Object) -> Family:
        owned = self._ownership.children(uid_of(deployment), REPLICA_SETS)
        claims = claim(deployment, [*owned, *self._ownership.orphans(REPLICA_SETS, namespace_of(deployment))])
        for each in claims.release:
            self._objects.patch_object(REPLICA_SETS, each, lambda current: released(current, deployment))
        for each in claims.adopt:
            self._objects.patch_object(REPLICA_SETS, each, lambda current: adopted(current, deployment))
        members = [self._objects.store.get(REPLICA_SETS, *place_of(each)) for each in (*claims.owned, *claims.adopt)]
        ordered = sorted((each for each in members if each), key=_age)
        template = spec_of(deployment)["template"]
        new = next((each for each in ordered if same_template(spec_of(each)["template"], template)), None)
        pods = {uid_of(each): self._ownership.children(uid_of(each), PODS) for each in ordered}
        return Family(new, [each for each in ordered if each is not new], pods)

    # One step of a rollout

    def _step_unless_namespace_goes(self, deployment: Object, limits: Limits) -> None:
        try:
            self._step(deployment, limits)
        except ApiError as error:
            if not is_namespace_going(error):
                raise

    def _step(self, deployment: Object, limits: Limits) -> None:
        spec = spec_of(deployment)
        family = self._family(deployment)
        if spec.get("paused") or _was_resized(family, limits):
            self._resize(deployment, limits, self._with_new(deployment, limits, family, create=False))
        elif (spec.get("strategy") or {}).get("type") == "Recreate":
            self._recreate(deployment, limits, family)
        else:
            self._roll(deployment, limits, self._with_new(deployment, limits, family, create=True))

    def _resize(self, deployment: Object, limits: Limits, family: Family) -> None:
        new = self._counts(deployment, family, family.new) if family.new else None
        old = [self._counts(deployment, family, each) for each in family.old]
        rolling = (spec_of(deployment).get("strategy") or {}).get("type") != "Recreate"
        sizes = resize(limits, new, old, rolling=rolling)
        for each in family.everyone:
            if name_of(each) in sizes or spec_of(each).get("replicas"):
                self._scale(deployment, each, sizes.get(name_of(each), int(spec_of(each)["replicas"])), limits)
        if spec_of(deployment).get("paused"):
            self._drop_surplus(deployment, family)

    def _recreate(self, deployment: Object, limits: Limits, family: Family) -> None:
        in_use = [each for each in family.old if spec_of(each).get("replicas")]
        for each in in_use:
            self._scale(deployment, each, 0, limits)
        old_pods = [pod for each in family.old for pod in family.pods[uid_of(each)]]
        if in_use or any(status_of(pod).get("phase") not in FINISHED_PHASES for pod in old_pods):
            return
        family = self._with_new(deployment, limits, family, create=True)
        if family.new and spec_of(family.new).get("replicas") != limits.wanted:
            self._scale(deployment, family.new, limits.wanted, limits)
        self._drop_surplus_when_complete(deployment, limits, family)

    def _roll(self, deployment: Object, limits: Limits, family: Family) -> None:
        if family.new is None:
            return
        new = self._counts(deployment, family, family.new)
        old = [self._counts(deployment, family, each) for each in family.old]
        wanted = new_replicas(limits, new, old)
        if wanted != new.wanted:
            self._scale(deployment, family.new, wanted, limits)
            return
        sizes = old_replicas(limits, new, old)
        for each in family.old:
            if name_of(each) in sizes:
                self._scale(deployment, each, sizes[name_of(each)], limits)
        if not sizes:
            self._drop_surplus_when_complete(deployment, limits, family)

    def _counts(self, deployment: Object, family: Family, replica_set: Object) -> ReplicaCounts:
        seconds = int(spec_of(deployment).get("minReadySeconds", 0))
        pods = count_pods(family.pods.get(uid_of(replica_set), []), seconds, self._objects.clock())
        return ReplicaCounts(
            name_of(replica_set),
            int(spec_of(replica_set).get("replicas", 0)),
            pods.available,
            replica_set["metadata"]["creationTimestamp"],
            number_of(replica_set, MAX_REPLICAS),
        )

    def _scale(self, deployment: Object, replica_set: Object, replicas: int, limits: Limits) -> None:
        was = int(spec_of(replica_set).get("replicas", 0))

        def change(current: Object) -> Object:
            annotations = {**annotations_of(current), **size_annotations(limits)}
            return with_metadata(with_spec(current, replicas=replicas), annotations=annotations)

        self._objects.patch_object(REPLICA_SETS, replica_set, change)
        if was != replicas:
            direction = "up" if replicas > was else "down"
            text = f"Scaled {direction} replica set {name_of(replica_set)} from {was} to {replicas}"
            self._objects.record_event(deployment, "ScalingReplicaSet", text, component=_COMPONENT)

    # The ReplicaSet of the present template

    def _with_new(self, deployment: Object, limits: Limits, family: Family, *, create: bool) -> Family:
        """Bring the new ReplicaSet's annotations up to date, creating it if asked, and the Deployment's revision."""
        revision = next_revision(family.old)
        if family.new is None and not create:
            return family
        if family.new is None:
            new = self._create_new(deployment, limits, family, revision)
        else:
            new = self._update_new(deployment, limits, family.new, revision)
        self._note_revision(deployment, annotations_of(new)[REVISION])
        return Family(new, family.old, {uid_of(new): [], **family.pods})

    def _update_new(self, deployment: Object, limits: Limits, new: Object, revision: int) -> Object:
        seconds = int(spec_of(deployment).get("minReadySeconds", 0))

        def change(current: Object) -> Object:
            annotations = replica_set_annotations(deployment, current, revision, limits)
            kept = current if _min_ready(current) == seconds else with_spec(current, minReadySeconds=seconds)
            return with_metadata(kept, annotations=annotations)

        if has_deadline(spec_of(deployment)) and condition(deployment, PROGRESSING) is None:
            text = f'Found new replica set "{name_of(new)}"'
            self._say_progress(deployment, Verdict(PROGRESSING, "True", "FoundNewReplicaSet", text))
        return self._objects.patch_object(REPLICA_SETS, new, change)

    def _create_new(self, deployment: Object, limits: Limits, family: Family, revision: int) -> Object:
        hash_value = template_hash(spec_of(deployment)["template"], status_of(deployment).get("collisionCount", 0))
        body = _new_replica_set(deployment, hash_value, replica_set_annotations(deployment, None, revision, limits))
        old = [self._counts(deployment, family, each) for each in family.old]
        size = new_replicas(limits, ReplicaCounts(name_of(body), 0, 0), old)
        body["spec"]["replicas"] = size
        try:
            new = self._objects.create(REPLICA_SETS, namespace_of(deployment), body)
        except ApiError as error:
            self._creation_failed(deployment, name_of(body), error)
            raise
        if size:
            text = f"Scaled up replica set {name_of(new)} from 0 to {size}"
            self._objects.record_event(deployment, "ScalingReplicaSet", text, component=_COMPONENT)
        text = f'Created new replica set "{name_of(new)}"'
        self._say_progress(deployment, Verdict(PROGRESSING, "True", "NewReplicaSetCreated", text))
        return new

    def _creation_failed(self, deployment: Object, name: str, error: ApiError) -> None:
        """Say why a rollout cannot start; a name that is taken by another template gets another hash next time."""
        current = self._objects.store.get(DEPLOYMENTS, *place_of(deployment)) or deployment
        if error.reason == "AlreadyExists":
            status = status_of(current)
            collisions = int(status.get("collisionCount", 0)) + 1
            self._objects.set_status(DEPLOYMENTS, current, {**status, "collisionCount": collisions})
        elif not is_namespace_going(error):
            text = f'Failed to create new replica set "{name}": {error.message}'
            self._say_progress(deployment, Verdict(PROGRESSING, "False", "ReplicaSetCreateError", text))
            self._objects.record_event(deployment, "ReplicaSetCreateError", text, type="Warning", component=_COMPONENT)

    def _note_revision(self, deployment: Object, revision: str) -> None:
        if annotations_of(deployment).get(REVISION) == revision:
            return
        self._objects.patch_object(
            DEPLOYMENTS,
            deployment,
            lambda current: with_metadata(current, annotations={**annotations_of(current), REVISION: revision}),
        )

    # Old ReplicaSets, status

    def _drop_surplus_when_complete(self, deployment: Object, limits: Limits, family: Family) -> None:
        if is_complete(limits, self._progress(deployment, family)):
            self._drop_surplus(deployment, family)

    def _drop_surplus(self, deployment: Object, family: Family) -> None:
        staying = [each for each in family.old if not is_terminating(each)]
        for each in surplus(staying, spec_of(deployment).get("revisionHistoryLimit", 10)):
            self._objects.delete(REPLICA_SETS, namespace_of(each), name_of(each))

    def _progress(self, deployment: Object, family: Family) -> Progress:
        seconds = int(spec_of(deployment).get("minReadySeconds", 0))
        now = self._objects.clock()
        new_pods = family.pods.get(uid_of(family.new), []) if family.new else []
        all_pods = [pod for pods in family.pods.values() for pod in pods]
        return Progress(
            name_of(family.new) if family.new else "",
            count_pods(new_pods, seconds, now),
            count_pods(all_pods, seconds, now),
            sum(int(spec_of(each).get("replicas", 0)) for each in family.everyone),
        )

    def _note_pause(self, deployment: Object) -> Object:
        verdict = pause_verdict(deployment)
        return self._say_progress(deployment, verdict) if verdict else deployment

    def _say_progress(self, deployment: Object, verdict: Verdict) -> Object:
        if not has_deadline(spec_of(deployment)):
            return deployment
        current = self._objects.store.get(DEPLOYMENTS, *place_of(deployment)) or deployment
        status = status_of(current)
        now = self._objects.clock()
        conditions = with_verdict(status.get("conditions") or [], verdict, now, updated=True, refresh=True)
        updated = self._objects.set_status(DEPLOYMENTS, current, {**status, "conditions": conditions})
        return updated or deployment

    def _write_status(self, item: Place, limits: Limits) -> float | None:
        """Write the status and return when the next look by time is due."""
        deployment = self._objects.store.get(DEPLOYMENTS, *item)
        if deployment is None:
            return None
        family = self._family(deployment)
        progress = self._progress(deployment, family)
        newest_first = [*([family.new] if family.new else []), *reversed(family.old)]
        failures = [found for each in newest_first if (found := condition(each, REPLICA_FAILURE)) is not None]
        now = self._objects.clock()
        status = status_for(deployment, limits, progress, failures, now)
        written = self._objects.set_status(DEPLOYMENTS, deployment, status) or deployment
        limit = None if spec_of(written).get("paused") else deadline(written)
        to_deadline = None if limit is None else (limit - now).total_seconds() + _AFTER_DEADLINE_SECONDS
        waits = [wait for wait in (progress.everyone.next_available_seconds, to_deadline) if wait is not None]
        return max(min(waits), 0.0) if waits else None


def _age(replica_set: Object) -> tuple[str, str]:
    return replica_set["metadata"]["creationTimestamp"], name_of(replica_set)


def _min_ready(replica_set: Object) -> int:
    return int(spec_of(replica_set).get("minReadySeconds", 0))


def _was_resized(family: Family, limits: Limits) -> bool:
    """Return whether a ReplicaSet in use was last scaled for another size of the Deployment."""
    in_use = [each for each in family.everyone if spec_of(each).get("replicas")]
    return any(number_of(each, DESIRED_REPLICAS) != limits.wanted for each in in_use)


def _new_replica_set(deployment: Object, hash_value: str, annotations: Mapping[str, str]) -> Object:
    spec = spec_of(deployment)
    template = labelled(spec["template"], hash_value)
    selector = spec.get("selector") or {}
    min_ready = int(spec.get("minReadySeconds", 0))
    return {
        "metadata": {
            "name": f"{name_of(deployment)}-{hash_value}",
            "labels": template["metadata"]["labels"],
            "annotations": dict(annotations),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            **({"minReadySeconds": min_ready} if min_ready else {}),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hash_value}},
            "template": template,
        },
    }
