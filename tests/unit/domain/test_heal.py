"""What healerd decides: the trigger, each gate with its reason, and what a day of crashing costs."""

import heapq
from dataclasses import replace

import pytest

from selfheal_core.domain.heal import (
    GATES,
    HealDecision,
    HealMemory,
    HealPolicy,
    Pace,
    decide,
    next_look_at,
    note_budget_refusal,
    note_in_doubt,
    note_not_carried_out,
    pacing_seconds,
)
from selfheal_core.domain.snapshot import OwnerKey, PodRow, Snapshot, Source
from tests.unit.domain.builders import NOW, OWNER, crashing, live, picture, row

POLICY = HealPolicy()


def decided(
    *rows: PodRow, memory: HealMemory | None = None, policy: HealPolicy = POLICY, now: float = NOW
) -> HealDecision:
    return decide(picture(*rows, now=now), memory or HealMemory(), policy, now)


def only_hold(decision: HealDecision) -> tuple[str, str]:
    assert decision.actions == ()
    (hold,) = decision.holds
    return hold.gate, hold.reason


def test_evicts_a_pod_whose_container_restarted_more_than_three_times() -> None:
    (action,) = decided(crashing(restarts=4)).actions
    assert (action.uid, action.namespace, action.name, action.owner) == ("uid-app-a-1", "payments", "app-a-1", OWNER)
    assert action.reason == "container app restarted 4 times (limit 3): container app exits 1 after 2s"


def test_three_restarts_are_not_more_than_three() -> None:
    assert decided(crashing(restarts=3)) == HealDecision((), (), HealMemory())


def test_restarts_are_judged_per_container_not_summed() -> None:
    assert decided(crashing(restarts=9, worst_container_restarts=3)).actions == ()


def test_the_limit_is_policy() -> None:
    assert decided(crashing(restarts=4), policy=HealPolicy(max_restarts=4)).actions == ()


@pytest.mark.parametrize("name", ["pods", "replicasets", "deployments"])
def test_holds_everything_when_a_watch_is_stale(name: str) -> None:
    sources = {**live("pods", "replicasets", "deployments"), **live(name, age=121)}
    decision = decide(picture(crashing(), sources=sources), HealMemory(), POLICY, NOW)
    assert only_hold(decision) == ("watch", f"{name} are silent, last seen 2m ago")
    assert decision.held == f"{name} are silent, last seen 2m ago"


def test_holds_when_a_watch_is_lost_and_names_why() -> None:
    lost = Source("pods", "lost", NOW - 5, NOW - 42, "connection refused")
    decision = decide(
        picture(crashing(), sources={**live("replicasets", "deployments"), "pods": lost}), HealMemory(), POLICY, NOW
    )
    assert only_hold(decision) == ("watch", "pods are lost, last seen 42s ago (connection refused)")


def test_holds_before_the_first_list() -> None:
    connecting = Source("pods", "connecting", NOW - 5)
    decision = decide(picture(crashing(), sources={"pods": connecting}), HealMemory(), POLICY, NOW)
    assert only_hold(decision) == ("watch", "pods were never seen: connecting")


def test_holds_without_a_watch_at_all() -> None:
    decision = decide(picture(crashing(), sources={}), HealMemory(), POLICY, NOW)
    assert only_hold(decision) == ("watch", "pods are not watched")


def test_holds_while_paused_and_says_why() -> None:
    decision = decided(crashing(), policy=HealPolicy(paused=True, pause_reason="migration by oncall"))
    assert only_hold(decision) == ("pause", "healing is paused: migration by oncall")
    assert decided(crashing(), policy=HealPolicy(paused=True)).held == "healing is paused"


@pytest.mark.parametrize(
    ("namespace", "policy", "reason"),
    [
        ("kube-system", HealPolicy(excluded_namespaces=frozenset()), "namespace kube-system is excluded"),
        ("tools", HealPolicy(excluded_namespaces=frozenset({"tools"})), "namespace tools is excluded"),
        ("platform", HealPolicy(own_namespace="platform"), "namespace platform is healerd's own"),
    ],
)
def test_never_touches_protected_namespaces(namespace: str, policy: HealPolicy, reason: str) -> None:
    assert only_hold(decided(crashing(namespace=namespace), policy=policy)) == ("namespace", reason)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("DaemonSet", "comes back on the same node"),
        ("Job", "retries its own failures"),
        ("CronJob", "retries its own failures"),
        ("Node", "a static pod"),
    ],
)
def test_never_touches_protected_kinds(kind: str, words: str) -> None:
    gate, reason = only_hold(decided(crashing(owner=OwnerKey(kind, "payments", "x", "u"))))
    assert gate == "kind"
    assert words in reason


def test_never_touches_a_bare_pod() -> None:
    assert only_hold(decided(crashing(owner=None))) == ("kind", "nothing owns it, so nothing would replace it")


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "Rollout"])
def test_evicts_pods_of_owners_that_replace_them(kind: str) -> None:
    assert len(decided(crashing(owner=OwnerKey(kind, "payments", "x", "u"))).actions) == 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [("terminating", "it is being removed already"), ("completed", "it has ended"), ("failed", "it has ended")],
)
def test_leaves_pods_alone_that_are_going(state: str, reason: str) -> None:
    assert only_hold(decided(crashing(state=state))) == ("terminating", reason)


def test_a_pod_that_recovered_is_left_alone() -> None:
    pod = crashing(state="running", since=NOW - 700, last_restart_at=NOW - 800)
    assert only_hold(decided(pod)) == ("recovered", "it recovered: ready for 11m40s")


def test_a_pod_that_runs_but_restarted_lately_has_not_recovered() -> None:
    assert len(decided(crashing(state="running", since=NOW - 60)).actions) == 1


def test_does_not_send_the_same_eviction_twice() -> None:
    policy = HealPolicy(owner_interval_seconds=0)
    first = decided(crashing(), policy=policy)
    again = decided(crashing(), memory=first.memory, policy=policy, now=NOW + 30)
    assert only_hold(again) == ("retry", "its eviction was sent 30s ago")
    assert next_look_at(again) == NOW + 60
    assert len(decided(crashing(), memory=again.memory, policy=policy, now=NOW + 60).actions) == 1


def test_takes_one_pod_of_an_owner_at_a_time_the_worst_first() -> None:
    decision = decided(crashing("app-a-1", restarts=4), crashing("app-a-2", restarts=9))
    assert [action.name for action in decision.actions] == ["app-a-2"]
    assert only_hold(replace(decision, actions=())) == (
        "one per owner",
        "another pod of Deployment app-a is being removed now",
    )


def test_owners_do_not_wait_for_each_other() -> None:
    other = OwnerKey("Deployment", "payments", "app-b", "uid-b")
    assert len(decided(crashing("app-a-1"), crashing("app-b-1", owner=other)).actions) == 2


def test_waits_between_two_pods_of_one_owner_and_longer_each_time() -> None:
    first = decided(crashing("app-a-1"))
    second = decided(crashing("app-a-2"), memory=first.memory, now=NOW + 60)
    assert only_hold(second) == ("pacing", "1 pod of Deployment app-a removed, the last 1m ago; next one in 1m")
    third = decided(crashing("app-a-2"), memory=second.memory, now=NOW + 120)
    assert len(third.actions) == 1
    fourth = decided(crashing("app-a-3"), memory=third.memory, now=NOW + 300)
    assert only_hold(fourth)[0] == "pacing"
    assert next_look_at(fourth) == NOW + 120 + 240


def test_pacing_doubles_up_to_six_hours() -> None:
    assert [pacing_seconds(POLICY, count) for count in (0, 1, 2, 3, 9, 500)] == [120, 120, 240, 480, 21_600, 21_600]


def test_pacing_is_forgotten_once_all_pods_of_the_owner_are_well() -> None:
    memory = decided(crashing()).memory
    well = row("app-a-9", since=NOW, last_restart_at=None)
    assert decided(well, memory=memory, now=NOW + 599).memory.paces
    assert not decided(well, memory=memory, now=NOW + 601).memory.paces


def test_pacing_is_kept_while_a_replacement_crashes() -> None:
    memory = decided(crashing()).memory
    assert decided(crashing("app-a-9", restarts=1, since=NOW), memory=memory, now=NOW + 5_000).memory.paces


def test_memory_of_pods_that_are_gone_is_dropped() -> None:
    first = decided(crashing())
    refused = note_budget_refusal(first.memory, first.actions[0], "no", NOW)
    assert decided(memory=refused, now=NOW + 700).memory == HealMemory()


def test_a_budgets_refusal_is_waited_for_and_repeated_in_words() -> None:
    first = decided(crashing())
    memory = note_budget_refusal(first.memory, first.actions[0], "needs 2 healthy pods and has 1", NOW, 40)
    held = decided(crashing(), memory=memory, now=NOW + 10)
    assert only_hold(held) == (
        "budget",
        "its disruption budget refused: needs 2 healthy pods and has 1; asked again in 30s",
    )
    assert next_look_at(held) == NOW + 40
    assert len(decided(crashing(), memory=memory, now=NOW + 40).actions) == 1


def test_a_refused_eviction_does_not_count_for_pacing() -> None:
    first = decided(crashing())
    memory = note_budget_refusal(first.memory, first.actions[0], "no", NOW)
    assert not memory.paces
    assert not memory.sent


def test_a_budget_that_names_no_time_is_asked_again_in_half_a_minute() -> None:
    first = decided(crashing())
    memory = note_budget_refusal(first.memory, first.actions[0], "no", NOW)
    assert memory.refusals["uid-app-a-1"].until == NOW + 30


def test_an_eviction_that_removed_nothing_leaves_the_pace_as_it_was() -> None:
    first = decided(crashing("app-a-1"))
    second = decided(crashing("app-a-2"), memory=first.memory, now=NOW + 200)
    undone = note_not_carried_out(second.memory, second.actions[0])
    assert undone.paces == first.memory.paces
    assert not note_not_carried_out(first.memory, first.actions[0]).paces


def test_a_refusal_does_not_hold_the_owner_for_longer_than_the_budget_asks() -> None:
    first = decided(crashing("app-a-1"))
    second = decided(crashing("app-a-2"), memory=first.memory, now=NOW + 200)
    refused = note_budget_refusal(second.memory, second.actions[0], "no", NOW + 200, 10)
    assert len(decided(crashing("app-a-2"), memory=refused, now=NOW + 211).actions) == 1


def in_doubt() -> HealMemory:
    first = decided(crashing())
    return note_in_doubt(first.memory, first.actions[0], NOW + 10)


def test_an_eviction_in_doubt_counts_until_its_pod_was_seen_to_stand() -> None:
    held = decided(crashing("app-a-2"), crashing(), memory=in_doubt(), now=NOW + 59)
    assert {hold.gate for hold in held.holds} == {"retry", "pacing"}
    assert len(decided(crashing(), memory=held.memory, now=NOW + 60).actions) == 1


def test_an_eviction_in_doubt_counts_for_good_if_its_pod_goes() -> None:
    going = decided(crashing("app-a-2"), crashing(state="terminating"), memory=in_doubt(), now=NOW + 60)
    assert {hold.gate for hold in going.holds} == {"terminating", "pacing"}
    gone = decided(crashing("app-a-2"), memory=going.memory, now=NOW + 119)
    assert only_hold(gone)[0] == "pacing"


@pytest.mark.parametrize("seen_at", [NOW - 1, NOW + 10], ids=["before it was sent", "before it was given up"])
def test_a_picture_from_before_the_doubt_does_not_settle_it(seen_at: float) -> None:
    old = live("pods", "replicasets", "deployments", age=NOW - seen_at)
    decision = decide(picture(crashing(), sources=old, now=NOW + 60), in_doubt(), POLICY, NOW + 60)
    assert only_hold(decision)[0] == "pacing"


def test_taking_an_eviction_in_doubt_back_keeps_a_later_removal_of_its_owner() -> None:
    policy = HealPolicy(owner_interval_seconds=20)
    later = decided(crashing("app-a-2"), crashing(), memory=in_doubt(), policy=policy, now=NOW + 30)
    settled = decided(crashing(), memory=later.memory, policy=policy, now=NOW + 60)
    assert settled.memory.paces[OWNER.uid] == Pace(2, NOW + 60)


def test_a_decision_does_not_change_its_memory() -> None:
    memory = HealMemory()
    decided(crashing(), memory=memory)
    assert memory == HealMemory()


def test_gates_stand_in_their_documented_order() -> None:
    order = ["watch", "namespace", "kind", "terminating", "recovered", "retry", "budget", "pacing", "one per owner"]
    assert [name for name, _ in GATES] == order


def test_nothing_to_wait_for_without_holds() -> None:
    assert next_look_at(decided(row())) is None


BACK_OFF = (0, 10, 20, 40, 80, 160, 300)
LIFE_SECONDS = 1.0
RESCHEDULE_SECONDS = 5.0
DAY = 86_400.0


def one_day(heal: bool) -> tuple[int, int]:
    """A pod that crashes a second after each start, with the kubelet's back-off, for 24 h: removals and starts."""
    removals, starts, generation = 0, 0, 0
    memory = HealMemory()
    restarts = 0
    events = [(NOW, "start")]
    while events:
        now, what = heapq.heappop(events)
        if now >= NOW + DAY:
            break
        name = f"app-a-{generation}"
        if what == "start":
            starts += 1
            heapq.heappush(events, (now + LIFE_SECONDS, "crash"))
            continue
        pod = crashing(name, restarts=restarts, since=now, last_restart_at=now)
        decision = decide(picture(pod, now=now), memory, POLICY, now) if heal else HealDecision((), (), memory)
        memory = decision.memory
        if decision.actions:
            removals, generation, restarts = removals + 1, generation + 1, 0
            heapq.heappush(events, (now + RESCHEDULE_SECONDS, "start"))
        else:
            heapq.heappush(events, (now + BACK_OFF[min(restarts, len(BACK_OFF) - 1)], "start"))
            restarts += 1
    return removals, starts


def test_a_permanently_crashing_pod_costs_at_most_twelve_removals_and_a_quarter_more_starts_a_day() -> None:
    _, alone = one_day(heal=False)
    removals, starts = one_day(heal=True)
    assert 285 <= alone <= 300
    assert 1 <= removals <= 12
    assert starts <= 1.25 * alone


def test_a_snapshot_of_nothing_decides_nothing() -> None:
    assert decide(Snapshot(0, NOW), HealMemory(), POLICY, NOW).actions == ()
