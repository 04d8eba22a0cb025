"""Where healerd's decision turns: the last second before and the first one after, and each field of what it returns."""

from dataclasses import replace

import pytest

from selfheal_core.domain.heal import (
    GATES,
    RECOVERED_SECONDS,
    HealDecision,
    HealMemory,
    HealPolicy,
    Hold,
    Pace,
    Refusal,
    Sent,
    decide,
    examine,
    note_budget_refusal,
    note_in_doubt,
    note_not_carried_out,
)
from selfheal_core.domain.snapshot import PodRow
from tests.unit.domain.builders import NOW, OWNER, crashing, picture, row

POLICY = HealPolicy()


def decided(*rows: PodRow, memory: HealMemory | None = None, now: float = NOW) -> HealDecision:
    return decide(picture(*rows, now=now), memory or HealMemory(), POLICY, now)


def well(ready: float, last_restart: float | None) -> PodRow:
    """A pod above the limit that has been ready for so many seconds, and restarted so many seconds ago."""
    restarted = None if last_restart is None else NOW - last_restart
    return crashing(state="running", since=NOW - ready, last_restart_at=restarted)


@pytest.mark.parametrize(
    ("pod", "removed"),
    [
        (well(ready=600, last_restart=None), False),
        (well(ready=599, last_restart=None), True),
        (well(ready=700, last_restart=600), False),
        (well(ready=700, last_restart=599), True),
        (well(ready=5, last_restart=700), True),
        (crashing(state="running", since=None, last_restart_at=None), True),
        (crashing(state="not ready", since=NOW - 700, last_restart_at=NOW - 700), True),
    ],
)
def test_a_pod_recovered_after_ten_minutes_ready_and_without_a_restart(pod: PodRow, removed: bool) -> None:
    decision = decided(pod)

    assert bool(decision.actions) is removed
    assert [hold.gate for hold in decision.holds] == ([] if removed else ["recovered"])


def test_an_action_names_the_container_and_its_restarts() -> None:
    (action,) = decided(crashing(restarts=9, worst_container="sidecar", worst_container_restarts=7)).actions

    assert (action.container, action.restarts) == ("sidecar", 7)


def test_a_hold_names_the_pod_and_its_owner() -> None:
    (hold,) = decided(crashing(state="terminating")).holds

    assert hold == Hold("uid-app-a-1", "payments", "app-a-1", OWNER, "terminating", "it is being removed already")


def test_a_budget_that_asks_for_no_wait_gets_a_second() -> None:
    first = decided(crashing())

    memory = note_budget_refusal(first.memory, first.actions[0], "no", NOW, retry_after_seconds=0)

    assert memory.refusals["uid-app-a-1"] == Refusal(NOW + 1, "no")


def test_what_a_budget_said_is_forgotten_once_the_pod_is_asked_for_again() -> None:
    other = {"uid-app-b-1": Refusal(NOW + 30, "no")}
    memory = HealMemory(refusals={"uid-app-a-1": Refusal(NOW - 1, "no"), **other})

    after = decided(crashing(), crashing("app-b-1", restarts=1), memory=memory).memory

    assert after.refusals == other


def test_taking_an_action_back_leaves_the_time_of_the_one_before() -> None:
    before = {OWNER.uid: Pace(2, NOW - 900), "other": Pace(1, NOW)}
    (action,) = (decision := decided(crashing(), memory=HealMemory(paces=before))).actions

    assert decision.memory.paces[OWNER.uid] == Pace(3, NOW)
    assert note_not_carried_out(decision.memory, action).paces == before


def test_what_was_never_sent_has_nothing_to_take_back() -> None:
    (action,) = decided(crashing()).actions

    assert note_not_carried_out(HealMemory(), action) == HealMemory()
    assert note_in_doubt(HealMemory(), action, NOW) == HealMemory()


@pytest.mark.parametrize(
    ("last_removal", "pod", "kept"),
    [
        (599, row(), True),
        (600, row(), False),
        (601, row(since=NOW - 599), True),
        (601, row(since=NOW - 600), False),
        (601, row(last_restart_at=NOW - 599), True),
        (601, row(last_restart_at=NOW - 600), False),
        (601, row(since=None), True),
        (601, row(state="starting"), True),
    ],
)
def test_pacing_lasts_until_ten_minutes_after_the_last_trouble(last_removal: float, pod: PodRow, kept: bool) -> None:
    memory = HealMemory(paces={OWNER.uid: Pace(2, NOW - last_removal)})

    assert bool(decided(pod, memory=memory).memory.paces) is kept


def test_ten_minutes_are_what_the_kubelet_takes_to_forget() -> None:
    assert RECOVERED_SECONDS == 600


def test_examining_a_pod_that_would_go_finds_every_gate_open() -> None:
    pod = crashing()

    answers = examine(pod, picture(pod), HealMemory(), POLICY, NOW)

    assert [answer.gate for answer in answers] == [gate for gate, _ in GATES]
    assert all(answer.is_open and answer.until is None for answer in answers)


def test_examining_a_pod_names_every_closed_gate_not_the_first_only() -> None:
    pod = crashing(state="terminating", namespace="kube-system", owner=None)

    answers = examine(pod, picture(pod), HealMemory(), POLICY, NOW)

    closed = {answer.gate: answer.reason for answer in answers if not answer.is_open}
    assert closed == {
        "namespace": "namespace kube-system is excluded",
        "kind": "nothing owns it, so nothing would replace it",
        "terminating": "it is being removed already",
    }


def test_examining_a_pod_says_when_a_gate_opens_by_itself() -> None:
    pod = crashing()
    memory = HealMemory(sent={pod.uid: Sent(NOW - 10, OWNER.uid)}, paces={OWNER.uid: Pace(1, NOW - 10)})

    answers = examine(pod, picture(pod), memory, POLICY, NOW)

    until = {answer.gate: answer.until for answer in answers if not answer.is_open}
    assert until == {"retry": NOW - 10 + POLICY.retry_seconds, "pacing": NOW - 10 + POLICY.owner_interval_seconds}


def test_examining_a_pod_knows_that_a_worse_one_of_its_owner_goes_first() -> None:
    pod, worse = crashing("app-a-1", restarts=5), crashing("app-a-2", restarts=9)

    closed = [each for each in examine(pod, picture(pod, worse), HealMemory(), POLICY, NOW) if not each.is_open]

    assert [answer.gate for answer in closed] == ["one per owner"]
    assert all(answer.is_open for answer in examine(worse, picture(pod, worse), HealMemory(), POLICY, NOW))


def test_examining_while_paused_says_pause_where_the_watch_stands() -> None:
    pod = crashing()
    paused = replace(POLICY, paused=True, pause_reason="migration")

    first, *others = examine(pod, picture(pod), HealMemory(), paused, NOW)

    assert (first.gate, first.reason) == ("pause", "healing is paused: migration")
    assert all(answer.is_open for answer in others)
