"""What holds for every input: words stay printable, filters never fall over, the healer keeps its bounds."""

import unicodedata
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_core.domain.applications import Parts, build_application
from selfheal_core.domain.diagnose import diagnose_pod
from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import FilterError, parse_filter
from selfheal_core.domain.heal import HealMemory, HealPolicy, decide, note_budget_refusal
from selfheal_core.domain.objects import (
    Condition,
    Container,
    ContainerState,
    ContainerStatus,
    Metadata,
    Pod,
    PodSpec,
    PodStatus,
    Running,
    Terminated,
    Waiting,
)
from selfheal_core.domain.pod_rows import pod_row
from selfheal_core.domain.rollback import choose_target
from selfheal_core.domain.snapshot import OwnerKey, PodRow, PodState, Revision
from selfheal_core.domain.times import duration, parse_duration, parse_time, rfc3339
from tests.unit.domain.builders import APP, NOW, OWNER, crashing, picture, row

REASONS = st.sampled_from(
    ["", "Error", "OOMKilled", "CrashLoopBackOff", "ImagePullBackOff", "ContainerCreating", "Evicted", "NodeLost", "?"]
)
TIMES = st.one_of(st.none(), st.just(""), st.integers(-1000, 1000).map(lambda offset: rfc3339(NOW + offset)))
TEXT = st.text(max_size=40)
TERMINATED = st.builds(Terminated, st.integers(-1, 300), st.just(0), REASONS, TEXT, TIMES, TIMES)
STATES = st.builds(
    ContainerState,
    running=st.one_of(st.none(), st.builds(Running, TIMES)),
    waiting=st.one_of(st.none(), st.builds(Waiting, REASONS, TEXT)),
    terminated=st.one_of(st.none(), TERMINATED),
)
STATUSES = st.builds(
    ContainerStatus,
    name=st.sampled_from(["app", "log", "\x1b[2J"]),
    ready=st.booleans(),
    started=st.sampled_from([None, True, False]),
    restart_count=st.integers(0, 20),
    image=TEXT,
    state=STATES,
    last_state=STATES,
)
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(["Ready", "Initialized", "PodScheduled", "Other"]),
    st.sampled_from(["True", "False", "Unknown", ""]),
    REASONS,
    TEXT,
    TIMES,
)
PODS = st.builds(
    Pod,
    metadata=st.builds(
        Metadata,
        name=st.just("app-a-1"),
        namespace=st.just("payments"),
        uid=st.just("uid"),
        creation_timestamp=TIMES,
        deletion_timestamp=TIMES,
        finalizers=st.lists(TEXT, max_size=2).map(tuple),
    ),
    spec=st.builds(
        PodSpec, node_name=st.sampled_from(["", "node-1"]), containers=st.just((Container("app"), Container("log")))
    ),
    status=st.builds(
        PodStatus,
        phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", ""]),
        reason=REASONS,
        message=TEXT,
        start_time=TIMES,
        conditions=st.lists(CONDITIONS, max_size=4).map(tuple),
        container_statuses=st.lists(STATUSES, max_size=3).map(tuple),
        init_container_statuses=st.lists(STATUSES, max_size=2).map(tuple),
    ),
)


@given(st.text(), st.one_of(st.none(), st.integers(0, 20)), st.booleans())
def test_printable_text_holds_nothing_that_a_terminal_obeys(text: str, limit: int | None, strip_colour: bool) -> None:
    shown = printable(text, limit=limit, strip_colour=strip_colour)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)
    assert not any(unicodedata.bidirectional(character) in ("RLO", "LRO", "RLE", "LRE", "PDF") for character in shown)
    assert limit is None or len(shown) <= max(1, limit)


@given(PODS)
@settings(max_examples=400)
def test_every_pod_has_a_state_and_a_printable_reason(pod: Pod) -> None:
    diagnosis = diagnose_pod(pod, NOW)
    assert diagnosis.reason
    assert diagnosis.reason.isprintable()
    assert diagnosis.recheck_at is None or diagnosis.recheck_at > NOW
    found = pod_row(pod, diagnosis, owner=OWNER, app=APP, track="stable")
    application = build_application(Parts(APP, [found]), None, NOW)
    assert application.reason
    assert application.ready <= 1


@given(
    st.lists(st.sampled_from(["healthy"]) | st.sampled_from(["crash loop", "unready", "pending", "failed"]), max_size=6)
)
def test_an_application_with_a_broken_pod_is_never_healthy(states: list[str]) -> None:
    rows = [row(f"p{number}") if state == "healthy" else broken(number, state) for number, state in enumerate(states)]
    application = build_application(Parts(APP, rows), None, NOW)
    alarming = any(each.state in ("crash loop", "unready", "pending", "failed") for each in rows)
    assert (application.state == "healthy") == (not alarming)


def broken(number: int, state: str) -> PodRow:
    word: PodState = msgspec.convert(state, PodState)
    return row(f"p{number}", state=word, severity="bad", ready_containers=0, reason="broken")


@given(st.text(max_size=60))
def test_a_filter_is_read_or_refused_in_words_never_worse(text: str) -> None:
    answers: list[object] = []
    try:
        answers.append(parse_filter(text).matches(row(), NOW))
    except FilterError as error:
        answers += [bool(error.what), bool(error.next_step)]
    assert answers in ([True], [False], [True, True])


@given(st.integers(0, 10_000_000))
def test_a_worded_length_is_read_back_to_within_its_smaller_unit(seconds: int) -> None:
    back = parse_duration(duration(seconds))
    assert 0 <= seconds - back < max(1, seconds) / 10 + 60


@given(st.integers(0, 4_000_000_000))
def test_times_survive_the_wire(seconds: int) -> None:
    assert parse_time(rfc3339(seconds)) == seconds


OWNERS = st.one_of(
    st.none(),
    st.builds(
        OwnerKey,
        st.sampled_from(["Deployment", "ReplicaSet", "DaemonSet", "Job", "Node", "StatefulSet"]),
        st.just("payments"),
        st.just("x"),
        st.sampled_from(["u1", "u2", "u3"]),
    ),
)
ROWS = st.builds(
    lambda number, restarts, owner, namespace, state: crashing(
        f"p{number}", restarts=restarts, owner=owner, namespace=namespace, state=state
    ),
    st.integers(0, 30),
    st.integers(0, 9),
    OWNERS,
    st.sampled_from(["payments", "kube-system", "own"]),
    st.sampled_from(["crash loop", "running", "terminating", "failed"]),
)
POLICY = HealPolicy(own_namespace="own")


@given(st.lists(ROWS, max_size=12, unique_by=lambda found: found.uid), st.integers(0, 5), st.booleans())
def test_the_healer_keeps_its_bounds(rows: list[PodRow], rounds: int, paused: bool) -> None:
    policy = replace(POLICY, paused=paused)
    memory = HealMemory()
    for number in range(rounds + 1):
        now = NOW + 10.0 * number
        decision = decide(picture(*rows, now=now), memory, policy, now)
        memory = decision.memory
        triggered = {found.uid for found in rows if found.worst_container_restarts > 3}
        decided = [action.uid for action in decision.actions] + [hold.uid for hold in decision.holds]
        assert sorted(decided) == sorted(triggered)
        owners = [action.owner.uid for action in decision.actions]
        assert len(owners) == len(set(owners))
        assert not (paused and decision.actions)
        for action in decision.actions:
            assert action.owner.kind in ("Deployment", "ReplicaSet", "StatefulSet")
            assert action.namespace == "payments"
        assert all(hold.reason for hold in decision.holds)
        if decision.actions:
            memory = note_budget_refusal(memory, decision.actions[0], "no", now)


@given(
    st.lists(
        st.builds(
            lambda number, status, good: Revision("r", "n", number, status, NOW, known_good=good),
            st.integers(1, 9),
            st.sampled_from(["deployed", "superseded", "failed", "pending-upgrade", "uninstalled"]),
            st.sampled_from([None, True, False]),
        ),
        max_size=9,
        unique_by=lambda revision: revision.number,
    ),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_no_way_back_is_ever_pending_failed_or_the_present(revisions: list[Revision], current: int | None) -> None:
    targets = choose_target(revisions, current, NOW)
    assert all(target.revision.status in ("deployed", "superseded") for target in targets)
    assert all(target.revision.number != current for target in targets)
    assert sum(target.recommended for target in targets) <= 1
    good = [bool(target.revision.known_good) for target in targets]
    assert good == sorted(good, reverse=True)
