"""Which node a pod gets, and the words when it gets none."""

from typing import Any

import pytest

from selfheal_sandbox.controllers.pod_requests import Requests, requests_of
from selfheal_sandbox.controllers.scheduling import Candidate, Choice, choose
from selfheal_sandbox.controllers.tolerations import stays_for_seconds, tolerates
from selfheal_sandbox.controllers.topology import Placement


def node(name: str, *, zone: str = "", taints: Any = (), ready: bool = True, cpu: str = "4", **spec: Any) -> Any:
    labels = {"kubernetes.io/hostname": name, **({"zone": zone} if zone else {})}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints), **spec},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def pod(name: str = "new", *, app: str = "web", cpu: str = "100m", owner: str = "rs", **spec: Any) -> Any:
    references = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]
    container = {"name": "main", "resources": {"requests": {"cpu": cpu}}}
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": app}, "ownerReferences": references},
        "spec": {"containers": [container], **spec},
        "status": {},
    }


def place(each: Any, *pods: Any) -> Candidate:
    used = sum((requests_of(one) for one in pods), Requests())
    return Candidate(Placement(each, pods), used)


def spread(when: str, skew: int = 1, **more: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "web"}}
    constraint = {"maxSkew": skew, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": when}
    return {"topologySpreadConstraints": [{**constraint, "labelSelector": selector, **more}]}


def anti_affinity(
    kind: str = "requiredDuringSchedulingIgnoredDuringExecution", key: str = "kubernetes.io/hostname"
) -> Any:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "web"}}}
    is_required = kind.startswith("required")
    return {"affinity": {"podAntiAffinity": {kind: [term if is_required else {"weight": 50, "podAffinityTerm": term}]}}}


def test_replicas_spread_over_nodes_by_themselves() -> None:
    candidates = [place(node("n1"), pod("a")), place(node("n2"), pod("b")), place(node("n3"))]
    assert choose(pod(), candidates).node == "n3"


def test_the_emptier_node_wins() -> None:
    busy = place(node("n1"), pod("x", cpu="2", owner="other"))
    assert choose(pod(), [busy, place(node("n2"))]).node == "n2"


def test_equal_nodes_are_taken_by_name() -> None:
    assert choose(pod(), [place(node("n2")), place(node("n1"))]).node == "n1"


def test_schedule_anyway_spread_outweighs_free_resources() -> None:
    full = place(node("n1"), pod("x", app="db", cpu="3", owner="db"))
    crowded = place(node("n2"), pod("a"))
    assert choose(pod(**spread("ScheduleAnyway")), [full, crowded]).node == "n1"


def test_do_not_schedule_spread_forbids_a_larger_skew() -> None:
    taken = place(node("n1"), pod("a"))
    cordoned = place(node("n2", unschedulable=True))
    choice = choose(pod(**spread("DoNotSchedule")), [taken, cordoned])
    assert choice.node is None
    assert "1 node(s) didn't match pod topology spread constraints" in choice.message


def test_spread_with_match_label_keys_counts_one_template_only() -> None:
    old = pod("old")
    old["metadata"]["labels"]["pod-template-hash"] = "old"
    new = pod(**spread("DoNotSchedule", matchLabelKeys=["pod-template-hash"]))
    new["metadata"]["labels"]["pod-template-hash"] = "new"
    assert choose(new, [place(node("n1"), old), place(node("n2", unschedulable=True))]).node == "n1"


def test_leaving_pods_do_not_count_in_a_spread() -> None:
    leaving = pod("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    candidates = [place(node("n1"), leaving), place(node("n2"), pod("b"))]
    assert choose(pod(**spread("DoNotSchedule")), candidates).node == "n1"


def test_every_obstacle_is_counted_in_the_words_of_kube_scheduler() -> None:
    taint = {"key": "team", "value": "db", "effect": "NoSchedule"}
    candidates = [
        place(node("n1", unschedulable=True)),
        place(node("n2", taints=[taint])),
        place(node("n3", cpu="1"), pod("x", cpu="950m")),
        place(node("n4", cpu="1"), pod("y", cpu="1")),
    ]
    assert choose(pod(), candidates) == Choice(
        None,
        "0/4 nodes are available: 1 node(s) had untolerated taint {team: db}, 1 node(s) were unschedulable, "
        "2 Insufficient cpu. preemption: 0/4 nodes are available: 2 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling.",
    )


def test_no_nodes_at_all() -> None:
    assert choose(pod(), []).message == "no nodes available to schedule pods"


def test_not_ready_node_is_avoided() -> None:
    assert choose(pod(), [place(node("n1", ready=False)), place(node("n2"))]).node == "n2"


def test_full_node_says_too_many_pods() -> None:
    pods = [pod(f"p{index}", cpu="0") for index in range(10)]
    assert "1 Too many pods" in choose(pod(cpu="0"), [place(node("n1"), *pods)]).message


def test_tolerated_taint_is_no_obstacle_and_a_soft_one_costs_points() -> None:
    hard = {"key": "team", "value": "db", "effect": "NoSchedule"}
    soft = {"key": "old", "effect": "PreferNoSchedule"}
    tolerations = [{"key": "team", "operator": "Exists"}]
    candidates = [place(node("n1", taints=[soft])), place(node("n2", taints=[hard]))]
    assert choose(pod(tolerations=tolerations), candidates).node == "n2"


@pytest.mark.parametrize(
    ("operator", "values", "fits"),
    [
        ("In", ["a"], True),
        ("NotIn", ["a"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["1"], False),
    ],
)
def test_node_affinity_operators(operator: str, values: list[str], fits: bool) -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    choice = choose(pod(affinity={"nodeAffinity": required}), [place(node("n1", zone="a"))])
    assert (choice.node == "n1") is fits


def test_node_selector_has_to_match() -> None:
    choice = choose(pod(nodeSelector={"zone": "b"}), [place(node("n1", zone="a"))])
    assert "didn't match Pod's node affinity/selector" in choice.message


def test_preferred_node_affinity_attracts() -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "preference": term}]}
    candidates = [place(node("n1", zone="a")), place(node("n2", zone="b"))]
    assert choose(pod(affinity={"nodeAffinity": preferred}), candidates).node == "n2"


def test_required_anti_affinity_keeps_away() -> None:
    candidates = [place(node("n1"), pod("a")), place(node("n2"))]
    assert choose(pod(**anti_affinity()), candidates).node == "n2"
    choice = choose(pod(**anti_affinity()), candidates[:1])
    assert "1 node(s) didn't match pod anti-affinity rules" in choice.message


def test_anti_affinity_of_existing_pods_counts_too() -> None:
    choice = choose(pod(), [place(node("n1"), pod("a", **anti_affinity()))])
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules" in choice.message


def test_preferred_anti_affinity_only_prefers() -> None:
    wish = anti_affinity("preferredDuringSchedulingIgnoredDuringExecution", key="zone")
    near = place(node("n1", zone="a"))
    same_zone = place(node("n2", zone="a"), pod("a", owner="other"))
    far = place(node("n3", zone="b"))
    assert choose(pod(**wish), [near, same_zone, far]).node == "n3"
    assert choose(pod(**wish), [same_zone]).node == "n2"


def test_affinity_lets_the_first_of_a_group_start_it() -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
    near: Any = {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    assert choose(pod(**near), [place(node("n1", zone="a"))]).node == "n1"
    candidates = [place(node("n1", zone="a")), place(node("n2", zone="b"), pod("a"))]
    assert choose(pod(**near), candidates).node == "n2"
    alone = choose(pod(app="db", **near), [place(node("n1", zone="a"))])
    assert "1 node(s) didn't match pod affinity rules" in alone.message


@pytest.mark.parametrize(
    ("toleration", "covers"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"value": "v"}, False),
    ],
)
def test_tolerations_cover_taints_as_documented(toleration: dict[str, Any], covers: bool) -> None:
    assert tolerates(toleration, {"key": "k", "value": "v", "effect": "NoExecute"}) is covers


def test_no_execute_taints_allow_the_shortest_tolerated_time() -> None:
    taints = [{"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"}]
    some = [{"key": "a", "operator": "Exists", "tolerationSeconds": 60}]
    both = [*some, {"key": "b", "operator": "Exists", "tolerationSeconds": 20}]
    assert stays_for_seconds(taints, some) == 0
    assert stays_for_seconds(taints, both) == 20
    assert stays_for_seconds(taints, [{"operator": "Exists"}]) is None
    assert stays_for_seconds([], []) is None


def test_largest_init_container_counts_when_it_needs_more() -> None:
    hungry = {"name": "init", "resources": {"requests": {"cpu": "2", "memory": "1Mi"}}}
    assert requests_of(pod(initContainers=[hungry])) == Requests(2000, 2**20, 1)


def test_sidecars_count_beside_what_comes_after_them() -> None:
    sidecar = {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}}
    hungry = {"name": "init", "resources": {"requests": {"cpu": "2"}}}
    main = {"name": "main", "resources": {"requests": {"cpu": "1"}}}

    def cpu_millicores(*initial: dict[str, Any]) -> int:
        return requests_of(pod(containers=[main], initContainers=list(initial))).cpu_millicores

    assert cpu_millicores(sidecar) == 1500
    assert cpu_millicores(hungry, sidecar) == 2000
    assert cpu_millicores(sidecar, hungry) == 2500
