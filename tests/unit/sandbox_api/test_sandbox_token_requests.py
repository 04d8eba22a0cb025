"""``kubectl create token``: a token of a service account that ends."""

from datetime import UTC, datetime, timedelta

import pytest

from selfheal_sandbox import access
from selfheal_sandbox.api.objects import SERVICE_ACCOUNTS, Objects
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.store.objects import uid_of
from tests.unit.sandbox_api.conftest import Server, serving
from tests.unit.sandbox_api.fakes import NOON, ManualClock, make_objects

PATH = "/api/v1/namespaces/default/serviceaccounts/default/token"


def tokens_of(objects: Objects, clock: ManualClock | None = None) -> access.Tokens:
    def uid(namespace: str, name: str) -> str:
        account = objects.store.get(SERVICE_ACCOUNTS, namespace, name)
        return uid_of(account) if account is not None else ""

    return access.Tokens(uid, now=clock or ManualClock())


async def ask(server: Server, seconds: int | None = None) -> tuple[int, dict[str, object]]:
    spec = {} if seconds is None else {"expirationSeconds": seconds}
    body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
    answer = await server.post(PATH, body)
    return answer.code, answer.json


async def test_a_token_is_its_accounts_until_it_ends() -> None:
    clock, objects = ManualClock(), make_objects()
    tokens = tokens_of(objects, clock)
    async with serving(objects, issue_token=tokens.issue) as server:
        code, answer = await ask(server, 600)

    status = answer["status"]
    assert isinstance(status, dict)
    assert (code, status["expirationTimestamp"]) == (201, "2026-03-01T12:10:00Z")
    uid = uid_of(objects.get(SERVICE_ACCOUNTS, "default", "default"))
    assert tokens.authenticate(status["token"]) == Identity(
        "system:serviceaccount:default:default",
        ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"),
        uid,
    )
    clock.advance(minutes=10)
    assert tokens.authenticate(status["token"]) is None


async def test_an_hour_is_what_one_gets_without_asking() -> None:
    objects = make_objects()
    async with serving(objects, issue_token=tokens_of(objects).issue) as server:
        _, answer = await ask(server)

    assert answer["spec"] == {"expirationSeconds": 3600}
    assert isinstance(answer["status"], dict)
    assert answer["status"]["expirationTimestamp"] == "2026-03-01T13:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "message"), [(599, "less than 10 minutes"), ((1 << 32) + 1, "larger than 2^32 seconds")]
)
async def test_a_time_that_is_too_short_or_too_long_is_refused(seconds: int, message: str) -> None:
    objects = make_objects()
    async with serving(objects, issue_token=tokens_of(objects).issue) as server:
        code, answer = await ask(server, seconds)

    assert (code, message in str(answer["message"])) == (422, True)


async def test_only_accounts_that_exist_have_tokens() -> None:
    objects = make_objects()
    async with serving(objects, issue_token=tokens_of(objects).issue) as server:
        assert (await server.post(PATH.replace("/default/token", "/none/token"), {})).code == 404
        assert (await server.get(PATH)).code == 405


def test_a_token_ends_with_its_account_and_is_not_that_of_a_new_one() -> None:
    objects = make_objects()
    tokens = tokens_of(objects)
    mounted = tokens.for_account("default", "default")
    assert tokens.for_account("default", "default") == mounted

    objects.delete(SERVICE_ACCOUNTS, "default", "default")
    assert tokens.authenticate(mounted) is None
    objects.create(SERVICE_ACCOUNTS, "default", {"metadata": {"name": "default"}})
    assert tokens.authenticate(mounted) is None
    assert tokens.authenticate(tokens.for_account("default", "default")) is not None


def test_tokens_that_ended_are_not_kept() -> None:
    clock, objects = ManualClock(), make_objects()
    tokens = tokens_of(objects, clock)
    old = tokens.issue("default", "default", uid_of(objects.get(SERVICE_ACCOUNTS, "default", "default")), NOON)
    assert tokens.authenticate(old) is None

    later = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=2)
    assert tokens.issue("default", "default", "", later) != old
