"""Objects as no API server should send them: shown as far as they can be read, or left out; nothing falls over."""

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_cli.explanation import explain_pod
from selfheal_cli.text import as_json, report, sentences
from selfheal_core.cluster.kubernetes.reflector import Change
from selfheal_core.cluster.kubernetes.watch_wire import Decoder
from selfheal_core.domain.heal import HealPolicy
from selfheal_core.domain.objects import Pod, PodMetrics
from selfheal_core.domain.snapshot import Snapshot
from selfheal_core.observe.error_rate import scrape_targets
from selfheal_core.observe.join import Join
from selfheal_core.observe.streams import COLLECTIONS
from selfheal_core.observe.usage import measured
from selfheal_tui.present.describe import describe_application, describe_pod
from selfheal_tui.present.glyphs import ASCII
from selfheal_tui.present.pods import pods_table
from selfheal_tui.present.spans import text_of
from tests.unit.domain.builders import NOW, at

Document = dict[str, Any]
Path = tuple[str | int, ...]

LABELS = {
    "app": "web",
    "pod-template-hash": "5d4",
    "owner": "helm",
    "name": "web",
    "version": "3",
    "status": "deployed",
}
ENDED = {"terminated": {"exitCode": 1, "signal": 9, "reason": "Error", "startedAt": at(90), "finishedAt": at(60)}}
CONDITION = {"type": "Ready", "status": "False", "reason": "No", "message": "not yet", "lastTransitionTime": at(50)}
AMOUNTS = {"cpu": "100m", "memory": "64Mi"}
RECORD = '{"revision":3,"good":true,"healthySince":1.0,"healthyUntil":9.0}'
NOTES = {
    "meta.helm.sh/release-name": "web",
    "selfheal.internal/revision": "3",
    "deployment.kubernetes.io/revision": "3",
    "prometheus.io/scrape": "true",
    "prometheus.io/port": "8080",
}
POD_SPEC = {
    "nodeName": "node-1",
    "containers": [
        {
            "name": "app",
            "image": "web:1",
            "ports": [{"name": "http", "containerPort": 8080}],
            "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
        }
    ],
}
CONTAINER = {"name": "app", "ready": False, "started": False, "restartCount": 4, "image": "web:1", "lastState": ENDED}
WAITING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
COUNTS = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 2}
SELECTOR = {"matchLabels": LABELS, "matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
POD_STATUS = {
    "phase": "Running",
    "podIP": "10.0.0.1",
    "startTime": at(100),
    "conditions": [CONDITION],
    "containerStatuses": [{**CONTAINER, "state": WAITING}],
    "initContainerStatuses": [{**CONTAINER, "state": ENDED}],
}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
PARTS: Mapping[str, Document] = {
    "pods": {"spec": POD_SPEC, "status": POD_STATUS},
    "deployments": {
        "spec": {"replicas": 2, "paused": False, "selector": SELECTOR, "template": TEMPLATE},
        "status": {**COUNTS, "conditions": [CONDITION]},
    },
    "horizontalpodautoscalers": {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 5},
        "status": {
            "currentReplicas": 2,
            "desiredReplicas": 3,
            "currentMetrics": [{"type": "Resource", "resource": {"current": {"averageUtilization": 30}}}],
            "conditions": [CONDITION],
        },
    },
    "poddisruptionbudgets": {
        "spec": {"selector": SELECTOR, "minAvailable": "50%"},
        "status": {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 2},
    },
    "events": {
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "shop", "uid": "uid-pods"},
        "reason": "BackOff",
        "message": "restarting",
        "type": "Warning",
        "count": 3,
        "firstTimestamp": at(100),
        "lastTimestamp": at(10),
        "eventTime": None,
        "reportingComponent": "kubelet",
    },
    "secrets": {},
    "configmaps": {"data": {"3": RECORD, "4": "{}"}},
}
OWNERS = {"pods": ("ReplicaSet", "uid-replicasets"), "replicasets": ("Deployment", "uid-deployments")}

HOSTILE_TEXT = st.sampled_from(
    [
        "",
        "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\x00\r\n",
        "\u202e\u2066\u200b\u0301\u0301\u0301\u5bb9\U0001f1e9",
        "\ud800",  # no text: on the wire it is neither UTF-8 nor a pair of escapes
        "99999-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "yesterday",
        "1e999",
        "9" * 5000,
        "-5Ei",
        "[/][red]",
        "x" * 3000,
        "4 {} %s",
        RECORD.replace("3", "1" + "0" * 4400).replace("9.0", "1e308"),
        RECORD.replace("9.0", "1e308"),
    ]
)
NUMBERS = st.sampled_from([0, -1, -(2**31), 2**31 - 1, 2**63, 10**4000, 1e30, -0.5, 1e308])
ODD: st.SearchStrategy[Any] = st.one_of(
    HOSTILE_TEXT,
    NUMBERS,
    st.sampled_from([None, True, [], {}, [None], [[]], {"": None}, {"\x1b": "\x1b"}, {"cpu": "1e999", "memory": "-1"}]),
    st.integers(1, 64).map(lambda depth: json.loads("[" * depth + "]" * depth)),
)


def document(plural: str) -> Document:
    """An object in order."""
    metadata: Document = {
        "name": "selfheal-known-good-web" if plural == "configmaps" else "web",
        "namespace": "shop",
        "uid": f"uid-{plural}",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": at(1000),
        "deletionTimestamp": None,
        "labels": LABELS,
        "annotations": NOTES,
        "finalizers": [],
    }
    if plural in OWNERS:
        kind, uid = OWNERS[plural]
        metadata["ownerReferences"] = [{"kind": kind, "name": "web", "uid": uid, "controller": True}]
    return copy.deepcopy({"metadata": metadata, **PARTS["deployments" if plural == "replicasets" else plural]})


def places(value: Any, here: Path = ()) -> Iterator[Path]:
    """Where something else can be put."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*here, key)
        yield from places(each, (*here, key))


def put(inside: Any, place: Path, value: Any) -> None:
    """Put a value to a place, unless an earlier change took that away."""
    with contextlib.suppress(KeyError, IndexError, TypeError):
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = copy.deepcopy(value)


def changes(plural: str) -> st.SearchStrategy[Document]:
    """Objects with up to four things in them that are not in order."""
    known = list(places(document(plural)))

    def changed(puts: list[tuple[Path, Any]]) -> Document:
        made = document(plural)
        for place, value in puts:
            put(made, place, value)
        return made

    return st.lists(st.tuples(st.sampled_from(known), ODD), min_size=1, max_size=4).map(changed)


def encoded(value: Document, *, ascii_only: bool) -> bytes:
    """As JSON, or as what passes for it."""
    return json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")


def join_all(objects: Mapping[str, bytes], ordinary: bytes) -> Join:
    """Decode lists of one object each, of the pod twice and an ordinary one beside it, and join them."""
    join = Join()
    join.set_pods_known(True)
    for collection in COLLECTIONS:
        body = objects.get(collection.plural)
        if body is None:
            continue
        items = [body, body, ordinary] if collection.plural == "pods" else [body]
        page = Decoder(collection.type).page(
            b'{"metadata":{"resourceVersion":"9"},"items":[' + b",".join(items) + b"]}"
        )
        assert len(page.items) + page.unreadable == len(items)
        for item in page.items:
            collection.apply(join, Change("added", item, None))
    return join


def check_words(snapshot: Snapshot) -> None:
    """All that is told of a snapshot is printable text."""
    for text in (*report(snapshot, NOW), *sentences(snapshot, NOW)):
        assert text.isprintable(), ascii(text)
    told = json.loads(as_json(snapshot, NOW))
    assert len(told["pods"]) == len(snapshot.pods)


def check_pages(snapshot: Snapshot, pod: Document) -> None:
    """Rows, descriptions and explanations can be made of it."""
    for table in (pods_table(ASCII, all_namespaces=True, wide=wide) for wide in (True, False)):
        for row in snapshot.pods.values():
            cells = table.cells(row, NOW)
            assert len(cells) == len(table.columns)
            assert all(cell.text.isprintable() for cell in cells), cells
        for sort in table.sorts:
            sorted(snapshot.pods.values(), key=sort.key)
    for row in snapshot.pods.values():
        explain_pod(row, snapshot, HealPolicy(), NOW)
        assert all(text_of(line).isprintable() for line in describe_pod(pod, row, (), NOW, ASCII))
    for app in snapshot.applications.values():
        rows = [snapshot.pods[uid] for uid in app.pods]
        assert all(text_of(line).isprintable() for line in describe_application(app, rows, NOW, ASCII))


KINDS = st.fixed_dictionaries({plural: changes(plural) for plural in (*PARTS, "replicasets")})


@settings(max_examples=150, deadline=None)
@given(mutated=KINDS, ascii_only=st.booleans())
def test_an_object_that_is_not_in_order_spoils_nothing_but_itself(
    mutated: Mapping[str, Document], ascii_only: bool
) -> None:
    ordinary = document("pods")
    ordinary["metadata"] |= {"name": "other", "uid": "uid-other"}
    bodies = {plural: encoded(each, ascii_only=ascii_only) for plural, each in mutated.items()}
    join = join_all(bodies, encoded(ordinary, ascii_only=True))
    join.refresh(NOW)
    scrape_targets(join.pods(), join.rows)
    snapshot = Snapshot(1, NOW, (), dict(join.rows), dict(join.applications), {})

    assert snapshot.pods["uid-other"].name == "other"
    check_words(snapshot)
    check_pages(snapshot, ordinary)


@settings(max_examples=60, deadline=None)
@given(mutated=changes("pods"), ascii_only=st.booleans(), kind=st.sampled_from(["ADDED", "MODIFIED", "DELETED"]))
def test_in_a_watch_it_is_skipped_and_the_stream_goes_on(mutated: Document, ascii_only: bool, kind: str) -> None:
    line = b'{"type": "%b", "object": ' % kind.encode() + encoded(mutated, ascii_only=ascii_only) + b"}\n"
    event = Decoder(Pod).event(line)

    assert event.kind in ("stored", "deleted", "unreadable")
    assert (event.object is None) == (event.kind == "unreadable")


@given(st.dictionaries(st.sampled_from(["cpu", "memory"]), HOSTILE_TEXT))
def test_use_that_is_no_quantity_is_unknown(usage: Mapping[str, str]) -> None:
    body = {"metadata": {"name": "web"}, "containers": [{"name": "app", "usage": dict(usage)}]}
    page = Decoder(PodMetrics).page(b'{"items":[' + encoded(body, ascii_only=True) + b"]}")
    figures = [measured(item) for item in page.items]

    assert all(figure is None or max(map(abs, figure)) < 2**80 for figure in figures)
