"""Random sequences of calls, as Hypothesis strategies."""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.contract.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.fuzz import calls
from tests.fuzz.calls import Call, Calls
from tests.fuzz.fuzzed_kind import ABSENT, EVERY_EDIT, Body, Edit, Kind
from tests.fuzz.pools import KINDS, SERVICE
from tests.fuzz.workload_kinds import BUDGET, POD

CALL_LIMIT = 30
CALLS_IN_STEP = 3
NAMES = ("a", "b", "c")
LABELS: tuple[dict[str, str], ...] = ({}, {"app": "a"}, {"app": "b"}, {"app": "a", "tier": "x"})
FINALIZER = "fuzz.example/hold"
SELECTORS = ("app=a", "app!=a", "app in (a,b)", "tier", "!tier", "app=a,tier notin (x)", "app in a", "a b")
FIELD_SELECTORS = ("metadata.name=a", "metadata.name!=a", "metadata.namespace=NS", "spec.bogus=1")
MANAGERS = ("one", "two")

_names = st.sampled_from(NAMES)


@st.composite
def bodies(draw: st.DrawFn, kind: Kind, name: str, *, flawed: bool | None = None) -> Body:
    """Return an object, in one of three cases with something odd in it."""
    body: Body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": name}}
    body.update(copy.deepcopy(draw(st.sampled_from(kind.contents))))
    labels = draw(st.sampled_from(LABELS))
    if labels:
        body["metadata"]["labels"] = dict(labels)
    extra = draw(st.sampled_from((None, None, None, None, "annotations", "finalizers", "ownerReferences")))
    if extra == "annotations":
        body["metadata"]["annotations"] = {"note": "x"}
    elif extra == "finalizers":
        body["metadata"]["finalizers"] = [FINALIZER]
    elif extra == "ownerReferences":
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": calls.uid_of("ConfigMap", "a")}
        body["metadata"]["ownerReferences"] = [owner]
    if flawed or (flawed is None and draw(st.integers(0, 2)) == 2):
        body = edited(body, draw(st.sampled_from(kind.edits + kind.edits + edits_of_every(kind))))
    return body


def edits_of_every(kind: Kind) -> tuple[Edit, ...]:
    """Return the edits that any kind can have: a null ``spec`` where there is one."""
    has_spec = any("spec" in content for content in kind.contents)
    return tuple(edit for edit in EVERY_EDIT if has_spec or edit != (("spec",), None))


def edited(body: Body, edit: Edit) -> Body:
    """Return a copy of a body with one edit made; without it where there is no such place."""
    result = copy.deepcopy(body)
    path, value = edit
    parent: Any = result
    for step in path[:-1]:
        if isinstance(parent, dict) and isinstance(step, str):
            parent = parent.setdefault(step, {})
        elif isinstance(parent, list) and isinstance(step, int) and step < len(parent):
            parent = parent[step]
        else:
            return body
    last = path[-1]
    if isinstance(parent, list) and isinstance(last, int):
        parent[last : last + 1] = [copy.deepcopy(value)]
    elif isinstance(parent, dict) and value == ABSENT:
        parent.pop(last, None)
    elif isinstance(parent, dict):
        parent[last] = copy.deepcopy(value)
    return result


_DRY_RUN = (("dryRun", "All"),)
_write_options = st.sampled_from(
    (
        (),
        (),
        (),
        (),
        (("fieldValidation", "Strict"),),
        (("fieldValidation", "Ignore"),),
        (("fieldValidation", "Warn"),),
        (("fieldValidation", "Sometimes"),),
        (("fieldManager", "one"),),
        _DRY_RUN,
        (("dryRun", "Some"),),
    )
)


@st.composite
def creations(draw: st.DrawFn, kind: Kind, *, flawed: bool | None = None) -> Call:
    """POST to a collection."""
    body = draw(bodies(kind, draw(_names), flawed=flawed))
    return Call("create", kind.name, "POST", kind.collection, body, query=draw(_write_options))


_VERSIONS = ("", "newest", "newest", "first", "previous")


def _with_version(body: Body, kind: Kind, name: str, which: str) -> Body:
    if which and isinstance(body.get("metadata"), dict):
        body["metadata"]["resourceVersion"] = calls.version_of(kind.name, name, which)
    return body


@st.composite
def replacements(draw: st.DrawFn, kind: Kind) -> Call:
    """PUT on an object, with its newest version, a stale one, or none."""
    name = draw(_names)
    body = _with_version(draw(bodies(kind, name)), kind, name, draw(st.sampled_from(_VERSIONS)))
    if isinstance(body.get("metadata"), dict) and draw(st.integers(0, 7)) == 7:
        body["metadata"]["uid"] = draw(st.sampled_from((calls.uid_of(kind.name, name), calls.UNKNOWN_UID)))
    return Call("update", kind.name, "PUT", f"{kind.collection}/{name}", body, query=draw(_write_options))


_METADATA_CHANGES: tuple[Body, ...] = (
    {"labels": {"app": "b"}},
    {"labels": {"app": None}},
    {"annotations": {"note": "y"}},
    {"finalizers": [FINALIZER]},
    {"finalizers": None},
    {"finalizers": ["fuzz.example/other"]},
    {"finalizers": [], "$deleteFromPrimitiveList/finalizers": [FINALIZER]},
    {"ownerReferences": None},
    {"name": "other"},
)
_METADATA_OPERATIONS: tuple[list[Body], ...] = (
    [{"op": "add", "path": "/metadata/labels", "value": {"app": "b"}}],
    [{"op": "remove", "path": "/metadata/finalizers"}],
    [{"op": "replace", "path": "/metadata/labels/app", "value": "a"}],
    [{"op": "add", "path": "/metadata/annotations", "value": {"k": "v"}}],
)


@st.composite
def patches(draw: st.DrawFn, kind: Kind) -> Call:
    """PATCH of an object: JSON, merge or strategic merge."""
    name = draw(_names)
    form = draw(st.sampled_from((MERGE_PATCH, STRATEGIC_PATCH, JSON_PATCH)))
    body: Any
    if form == JSON_PATCH:
        body = copy.deepcopy(draw(st.sampled_from(kind.operations + _METADATA_OPERATIONS)))
    else:
        metadata = [{"metadata": change} for change in _METADATA_CHANGES]
        body = copy.deepcopy(draw(st.sampled_from([*kind.changes, *kind.changes, *metadata])))
        which = draw(st.sampled_from(("", "", "", "newest", "first")))
        if which:
            body = {**body, "metadata": {**body.get("metadata", {})}}
            _with_version(body, kind, name, which)
    query = draw(_write_options)
    return Call("patch", kind.name, "PATCH", f"{kind.collection}/{name}", body, form, query)


@st.composite
def applications(draw: st.DrawFn, kind: Kind) -> Call:
    """Server-side apply by one of two managers."""
    name = draw(_names)
    body = draw(bodies(kind, name))
    options = draw(st.sampled_from(((), (("force", "true"),), _DRY_RUN, (("force", "true"), *_DRY_RUN))))
    manager: tuple[tuple[str, str], ...] = (("fieldManager", draw(st.sampled_from(MANAGERS))),)
    if draw(st.integers(0, 19)) == 19:
        manager = ()
    path = f"{kind.collection}/{name}"
    return Call("apply", kind.name, "PATCH", path, body, APPLY_PATCH, manager + options)


@st.composite
def deletions(draw: st.DrawFn, kind: Kind) -> Call:
    """DELETE of an object with all that one may say about it."""
    name = draw(_names)
    options: Body = {}
    choice = draw(st.integers(0, 9))
    if choice in (1, 2):
        options["gracePeriodSeconds"] = draw(st.sampled_from((0, 5, -1)))
    elif choice in (3, 4):
        options["propagationPolicy"] = draw(st.sampled_from(("Background", "Foreground", "Orphan", "Sideways")))
    elif choice == 5:
        options["preconditions"] = {"uid": draw(st.sampled_from((calls.uid_of(kind.name, name), calls.UNKNOWN_UID)))}
    elif choice == 6:
        which = draw(st.sampled_from(("newest", "first")))
        options["preconditions"] = {"resourceVersion": calls.version_of(kind.name, name, which)}
    elif choice == 7:
        options["dryRun"] = ["All"]
    body = {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None
    return Call("delete", kind.name, "DELETE", f"{kind.collection}/{name}", body)


@st.composite
def collection_deletions(draw: st.DrawFn, kind: Kind) -> Call:
    """DELETE of a collection, mostly of what a selector chooses."""
    query = draw(st.sampled_from(((), (("labelSelector", "app=a"),), (("fieldSelector", "metadata.name=a"),))))
    return Call("deletecollection", kind.name, "DELETE", kind.collection, query=query)


def _selections(kind: Kind) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    labels = st.sampled_from(SELECTORS).map(lambda text: (("labelSelector", text),))
    fields = st.sampled_from(FIELD_SELECTORS + kind.selectors).map(lambda text: (("fieldSelector", text),))
    return st.one_of(st.just(()), st.just(()), labels, fields)


@st.composite
def lists(draw: st.DrawFn, kind: Kind) -> Call:
    """GET of a collection: selected, in pages, at a version."""
    query = draw(_selections(kind))
    choice = draw(st.integers(0, 8))
    if choice in (1, 2):
        query += (("limit", draw(st.sampled_from(("1", "2")))),)
    elif choice == 3:
        query += (("limit", "1"), ("continue", calls.CONTINUE))
    elif choice == 4:
        query += (("resourceVersion", calls.seen_version(0)), ("resourceVersionMatch", "NotOlderThan"))
    elif choice == 5:
        age = draw(st.integers(0, 3))
        query += (("resourceVersion", calls.seen_version(age)), ("resourceVersionMatch", "Exact"))
    elif choice == 6:
        query += draw(
            st.sampled_from(
                (
                    (("resourceVersion", calls.ANCIENT_VERSION), ("resourceVersionMatch", "Exact")),
                    (("resourceVersionMatch", "Exact"),),
                    (("resourceVersion", "x"),),
                    (("resourceVersion", "0"), ("resourceVersionMatch", "Exact")),
                    (("resourceVersion", calls.seen_version(0)), ("resourceVersionMatch", "Odd")),
                    (("continue", "nonsense"),),
                    (("limit", "x"),),
                )
            )
        )
    return Call("list", kind.name, "GET", kind.collection, query=query)


@st.composite
def watches(draw: st.DrawFn, kind: Kind) -> Call:
    """A watch from a version on; its events are read until the sequence has ended."""
    query = (("watch", "true"), ("timeoutSeconds", "20"), *draw(_selections(kind)))
    version = draw(
        st.one_of(
            st.integers(0, 6).map(calls.seen_version),
            st.sampled_from((calls.seen_version(0), "", calls.ANCIENT_VERSION, "x")),
        )
    )
    if version:
        query += (("resourceVersion", version),)
    return Call("watch", kind.name, "GET", kind.collection, query=query)


@st.composite
def readings(draw: st.DrawFn, kind: Kind) -> Call:
    """GET of an object or of one of its subresources."""
    tails = ("", "", *(("/status",) if kind.statuses else ()), *(("/scale",) if kind.scalable else ()))
    path = f"{kind.collection}/{draw(_names)}{draw(st.sampled_from(tails))}"
    return Call("get", kind.name, "GET", path)


@st.composite
def scalings(draw: st.DrawFn, kind: Kind) -> Call:
    """PUT or PATCH of a scale."""
    name = draw(_names)
    replicas = draw(st.sampled_from((0, 2, 5, -1, "x")))
    path = f"{kind.collection}/{name}/scale"
    if draw(st.booleans()):
        return Call("scale", kind.name, "PATCH", path, {"spec": {"replicas": replicas}}, MERGE_PATCH)
    scale: Body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": name, "namespace": "NS"}}
    _with_version(scale, kind, name, draw(st.sampled_from(("", "newest", "first"))))
    return Call("scale", kind.name, "PUT", path, {**scale, "spec": {"replicas": replicas}})


@st.composite
def status_writes(draw: st.DrawFn, kind: Kind, *, name: str = "", status: Body | None = None) -> Call:
    """PUT or PATCH of a status; whatever else the body holds must be left alone."""
    name = name or draw(_names)
    status = copy.deepcopy(status or draw(st.sampled_from(kind.statuses)))
    path = f"{kind.collection}/{name}/status"
    # Kubernetes creates a Service, without an address, when the status of one that is not there is replaced.
    if kind is SERVICE or draw(st.integers(0, 3)) < 3:
        form = draw(st.sampled_from((MERGE_PATCH, STRATEGIC_PATCH)))
        return Call("status", kind.name, "PATCH", path, {"status": status}, form)
    body = draw(bodies(kind, name, flawed=False))
    _with_version(body, kind, name, draw(st.sampled_from(("newest", "first"))))
    return Call("status", kind.name, "PUT", path, {**body, "status": status})


@st.composite
def evictions(draw: st.DrawFn, *, name: str = "") -> Call:
    """POST of an Eviction."""
    name = name or draw(_names)
    body: Body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    options = draw(st.sampled_from((None, None, {"gracePeriodSeconds": 0}, {"dryRun": ["All"]})))
    if options:
        body["deleteOptions"] = dict(options)
    return Call("evict", "Pod", "POST", f"{POD.collection}/{name}/eviction", body)


@st.composite
def guarded_evictions(draw: st.DrawFn) -> list[Call]:
    """A running pod, a budget that covers it, and an eviction, each of the first three now and then left out."""
    name = draw(_names)
    pod: Body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "a"}},
        **copy.deepcopy(draw(st.sampled_from(POD.contents))),
    }
    budget: Body = {
        "apiVersion": BUDGET.api_version,
        "kind": BUDGET.name,
        "metadata": {"name": name},
        **copy.deepcopy(draw(st.sampled_from(BUDGET.contents[:3]))),
    }
    steps = [
        Call("create", "Pod", "POST", POD.collection, pod),
        draw(status_writes(POD, name=name, status=draw(st.sampled_from(POD.statuses[:4])))),
        Call("create", BUDGET.name, "POST", BUDGET.collection, budget),
        draw(status_writes(BUDGET, name=name)),
        draw(evictions(name=name)),
    ]
    kept = [draw(st.integers(0, 9)) > 0 for _ in steps]
    return [step for step, keep in zip(steps, kept, strict=True) if keep]


@st.composite
def merges(draw: st.DrawFn, kind: Kind) -> list[Call]:
    """An object, and a strategic merge patch of that very one, since merged lists show only on what has them."""
    name = draw(_names)
    body: Body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": name}}
    body |= copy.deepcopy(draw(st.sampled_from(kind.contents)))
    change = copy.deepcopy(draw(st.sampled_from(kind.changes)))
    return [
        Call("create", kind.name, "POST", kind.collection, body),
        Call("patch", kind.name, "PATCH", f"{kind.collection}/{name}", change, STRATEGIC_PATCH),
    ]


Make = Callable[[Kind], st.SearchStrategy[Call]]


def calls_on(kind: Kind) -> st.SearchStrategy[Call]:
    """Return any call about objects of a kind."""
    makes: list[Make] = [
        lambda kind: creations(kind, flawed=False),
        creations,
        replacements,
        patches,
        patches,
        applications,
        applications,
        deletions,
        lists,
        watches,
        readings,
        collection_deletions,
    ]
    if kind.scalable:
        makes.append(scalings)
    if kind.statuses:
        makes.append(status_writes)
    choices = [make(kind) for make in makes]
    if kind is POD:
        choices.append(evictions())
    return st.one_of(choices)


def steps_on(kind: Kind) -> st.SearchStrategy[list[Call]]:
    """Return a few calls about objects of a kind."""
    choices = [st.lists(calls_on(kind), min_size=1, max_size=CALLS_IN_STEP)] * 5
    if kind in (POD, BUDGET):
        choices.append(guarded_evictions())
    if not kind.custom:
        choices.append(merges(kind))
    return st.one_of(choices)


@st.composite
def sequences(draw: st.DrawFn) -> Calls:
    """Return up to `CALL_LIMIT` calls, about few kinds, so that they meet."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique_by=lambda kind: kind.name))
    step = st.one_of([steps_on(kind) for kind in kinds])
    first = [draw(creations(kind, flawed=False)) for kind in kinds]
    rest = draw(st.lists(step, min_size=1, max_size=CALL_LIMIT // CALLS_IN_STEP))
    return tuple([*first, *(call for calls_of_step in rest for call in calls_of_step)][:CALL_LIMIT])


def generated(count: int, start: int) -> list[Calls]:
    """Return sequences; the same ones for the same count and seed."""
    made: list[Calls] = []

    @seed(start)
    @settings(
        max_examples=count,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(sequences())
    def collect(sequence: Calls) -> None:
        made.append(sequence)

    collect()
    return made
