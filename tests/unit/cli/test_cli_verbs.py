"""A verb on the command line: whom a name means, what is printed, and how it ends."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from selfheal_cli.verbs import check_pods_known, find_target, follow, show_preview
from selfheal_core.domain.snapshot import AppKey, Application, Snapshot, Source
from selfheal_core.errors import BadUsage, NotVerified, Refused, SelfhealError
from selfheal_core.ops.operation import Impact, Phase, Preview, Progress, Target
from tests.unit.domain.builders import NOW, picture, row

PAYMENTS = "payments"


def application(name: str, namespace: str = PAYMENTS) -> Application:
    return Application(
        key=AppKey(namespace, name),
        state="healthy",
        severity="ok",
        detail="",
        since=None,
        reason="",
        tracks=(),
        pods=(),
        ready=1,
        desired=1,
        restarts=0,
        last_restart_at=None,
    )


SEEN = picture(
    row("web-1", app=AppKey(PAYMENTS, "web")),
    row("web-2", app=AppKey(PAYMENTS, "web")),
    row("db-1", app=AppKey("data", "db"), namespace="data"),
    applications=(application("web"), application("checkout"), application("db", "data")),
)


def test_an_application_is_found_by_name_and_namespace() -> None:
    assert find_target(SEEN, "restart", PAYMENTS, "web") == Target("application", PAYMENTS, "web", "web")


def test_a_pod_is_found_with_the_uid_that_its_name_means_now() -> None:
    assert find_target(SEEN, "kill", PAYMENTS, "web-2") == Target("pod", PAYMENTS, "web-2", "web", "uid-web-2")


@pytest.mark.parametrize(
    ("verb", "namespace", "name", "complaint"),
    [
        ("restart", PAYMENTS, "chekout", "no application 'chekout' in namespace 'payments'; did you mean 'checkout'?"),
        ("rollback", PAYMENTS, "zzz", "no application 'zzz' in namespace 'payments'; known: checkout, web"),
        ("restart", PAYMENTS, "web-1", "no application 'web-1' in namespace 'payments'; did you mean 'web'?"),
        ("restart", PAYMENTS, "db", "no application 'db' in namespace 'payments'; known: checkout, web"),
        ("kill", PAYMENTS, "web", "no pod 'web' in namespace 'payments'; did you mean 'web-2'?"),
        ("kill", "data", "web-1", "no pod 'web-1' in namespace 'data'; did you mean 'db-1'?"),
        ("kill", "empty", "x", "no pod 'x' in namespace 'empty'; nothing runs there; choose another namespace with -n"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_names_of_the_same_namespace(
    verb: str, namespace: str, name: str, complaint: str
) -> None:
    with pytest.raises(BadUsage) as raised:
        find_target(SEEN, verb, namespace, name)

    assert str(raised.value) == complaint


def seeing(source: Source | None, namespaces: tuple[str, ...] = (PAYMENTS,)) -> Snapshot:
    return replace(SEEN, sources={} if source is None else {"pods": source}, namespaces=namespaces)


def test_what_is_not_seen_counts_as_not_there_only_while_pods_are_live() -> None:
    check_pods_known(SEEN)
    reason = "not allowed to list pods in namespace payments"
    with pytest.raises(Refused) as raised:
        check_pods_known(seeing(Source("pods", "forbidden", NOW, reason=reason)))

    assert str(raised.value) == (
        f"nothing can be looked up; pods: forbidden ({reason}); check with: kubectl auth can-i list pods -n payments"
    )


@pytest.mark.parametrize("source", [None, Source("pods", "stale", NOW), Source("pods", "connecting", NOW)])
def test_no_data_is_not_taken_for_an_empty_namespace(source: Source | None) -> None:
    with pytest.raises(Refused, match="can-i list pods -A"):
        check_pods_known(seeing(source, ()))


def test_a_preview_is_one_fact_a_line_and_cluster_text_cannot_command_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_preview(
        Preview(
            verb="restart",
            target=Target("application", PAYMENTS, "web", "web"),
            impact=Impact.UNDOABLE,
            title="Restart web in payments",
            lines=(("does", "replaces its pods"), ("now", "2 of 2 \x1b[31mready\nsecond line")),
            same_as="kubectl rollout restart deployment/web -n payments",
            precondition={},
        )
    )

    assert capsys.readouterr().out.splitlines() == [
        "Restart web in payments",
        "  does      replaces its pods",
        "  now       2 of 2 ␛[31mready␊second line",
        "  same as   kubectl rollout restart deployment/web -n payments",
    ]


async def steps(*phases: Phase, next_step: str = "") -> AsyncIterator[Progress]:
    """A scripted operation; its last step has the advice."""
    for phase in phases:
        yield Progress("id", phase, f"text of {phase}", NOW, next_step if phase == phases[-1] else "")


async def test_an_operation_that_recovers_prints_every_step_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    await follow(steps("pending", "running", "verifying", "recovered"))

    assert capsys.readouterr().out.splitlines() == [
        f"{phase}: text of {phase}" for phase in ("pending", "running", "verifying", "recovered")
    ]


@pytest.mark.parametrize(
    ("phase", "error", "code"),
    [
        ("refused", Refused, 1),
        ("failed", SelfhealError, 1),
        ("cancelled", SelfhealError, 1),
        ("not verified", NotVerified, 3),
    ],
)
async def test_the_last_step_decides_the_exit_code(phase: Phase, error: type[SelfhealError], code: int) -> None:
    with pytest.raises(SelfhealError) as raised:
        await follow(steps("pending", phase, next_step="look here"))

    assert type(raised.value) is error
    assert raised.value.exit_code == code
    assert str(raised.value) == f"text of {phase}; look here"


async def test_an_operation_that_ends_without_a_final_step_is_no_success() -> None:
    with pytest.raises(SelfhealError):
        await follow(steps("pending", "running"))
    with pytest.raises(SelfhealError, match="said nothing"):
        await follow(steps())


async def test_a_refusal_under_read_only_says_where_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/oncall/.config")
    with pytest.raises(Refused, match=r"look at SELFHEAL_READ_ONLY and /home/oncall/.config/selfheal/config.toml"):
        await follow(steps("refused"), read_only=True)
    with pytest.raises(Refused, match=r"^text of refused; its own advice$"):
        await follow(steps("refused", next_step="its own advice"), read_only=True)
