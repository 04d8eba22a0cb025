"""Errors of the API server: sorted by reaction, in words, short, without markup of a proxy in between."""

import json
import socket
import ssl
from typing import Any

import aiohttp
import pytest

from selfheal_core.cluster.kubernetes import api_errors
from selfheal_core.cluster.kubernetes.api_errors import (
    ApiError,
    BudgetRefusal,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    from_exception,
    from_response,
)
from selfheal_core.errors import ClusterUnreachable, SelfhealError

POD = "/api/v1/namespaces/payments/pods/web-1"


def body(code: int, reason: str = "", message: str = "", **more: Any) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "reason": reason, "message": message, **more}).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (422, Invalid),
        (429, TooManyRequests),
        (500, ServerFault),
        (503, ServerFault),
        (504, ServerFault),
        (405, ApiError),
    ],
)
def test_each_status_has_its_exception(code: int, kind: type[ApiError]) -> None:
    error = from_response("GET", POD, code, body(code, "Reason", "the message"))
    assert type(error) is kind
    assert error.status == code
    assert error.reason == "Reason"
    assert error.message == "the message"
    assert isinstance(error, SelfhealError)


def test_says_what_was_asked_and_what_the_server_said() -> None:
    error = from_response("DELETE", POD, 404, body(404, "NotFound", 'pods "web-1" not found'))
    assert str(error) == 'the API server answered 404 to delete pods payments/web-1: pods "web-1" not found'


def test_forbidden_names_verb_resource_and_namespace_and_the_next_command() -> None:
    error = from_response("PATCH", "/apis/apps/v1/namespaces/payments/deployments/web/scale", 403, body(403))
    assert isinstance(error, Forbidden)
    assert (error.verb, error.resource, error.namespace) == ("patch", "deployments.apps/scale", "payments")
    assert error.what == "not allowed to patch deployments.apps/scale in namespace payments"
    assert error.next_step.endswith("kubectl auth can-i patch deployments.apps/scale -n payments")


def test_forbidden_tells_a_watch_from_a_list() -> None:
    listed = from_response("GET", "/api/v1/pods", 403, body(403))
    watched = from_response("GET", "/api/v1/pods", 403, body(403), watch=True)
    assert listed.what == "not allowed to list pods in all namespaces"
    assert watched.what == "not allowed to watch pods in all namespaces"
    assert listed.next_step.endswith("kubectl auth can-i list pods -A")


def test_an_eviction_that_a_budget_forbids_carries_the_budget_s_words() -> None:
    answer = body(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details={
            "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods"}]
        },
    )
    error = from_response("POST", f"{POD}/eviction", 429, answer, {"Retry-After": "10"})
    assert isinstance(error, BudgetRefusal)
    assert error.retry_after_seconds == 10
    assert "needs 2 healthy pods" in error.message


def test_a_server_that_is_too_busy_is_no_budget() -> None:
    error = from_response("POST", f"{POD}/eviction", 429, b"Too many requests, please try again later.\n")
    assert type(error) is TooManyRequests


@pytest.mark.parametrize(
    ("header", "details", "expected"),
    [
        ({}, None, None),
        ({"Retry-After": "7"}, None, 7.0),
        ({}, {"retryAfterSeconds": 3}, 3.0),
        ({"Retry-After": "86400"}, None, api_errors.RETRY_AFTER_LIMIT_SECONDS),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "-5"}, None, None),
    ],
)
def test_reads_how_long_to_wait(header: dict[str, str], details: Any, expected: float | None) -> None:
    answer = body(503, **({"details": details} if details else {}))
    error = from_response("GET", POD, 503, answer, header)
    assert isinstance(error, ServerFault)
    assert error.retry_after_seconds == expected


def test_a_page_of_a_proxy_is_not_shown() -> None:
    error = from_response("GET", POD, 502, b"<html><script>alert(1)</script></html>")
    assert str(error) == "the API server answered 502 to get pods payments/web-1"


def test_a_long_message_is_cut_to_one_line() -> None:
    error = from_response("GET", POD, 500, body(500, "", "line\n" * 1000))
    assert len(error.message) == api_errors.MESSAGE_LIMIT
    assert "\n" not in str(error)


def test_no_answer_is_worded_by_its_cause() -> None:
    key = aiohttp.client_reqrep.ConnectionKey("h", 1, False, True, None, None, None)
    refused = aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "Connect call failed"))
    cases: list[tuple[BaseException, str]] = [
        (refused, "connection refused"),
        (aiohttp.ClientConnectorDNSError(key, socket.gaierror(-2, "x")), "its name does not resolve"),
        (ssl.SSLCertVerificationError("x"), "its certificate is not trusted"),
        (aiohttp.ServerDisconnectedError(), "it closed the connection"),
        (ConnectionResetError(), "the connection was reset"),
        (TimeoutError(), "timed out after 10 s"),
    ]
    for error, words in cases:
        worded = from_exception(error, "https://c:6443", 10)
        assert worded.what == f"no answer from https://c:6443: {words}"
        assert worded.exit_code == 4


def test_no_answer_is_both_an_api_error_and_an_unreachable_cluster() -> None:
    assert issubclass(Unreachable, ApiError)
    assert issubclass(Unreachable, ClusterUnreachable)
