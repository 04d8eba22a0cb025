"""Bytes that no API server should send: one object is left out and counted, the others and the stream go on."""

import json
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.api_errors import ServerFault
from selfheal_core.cluster.kubernetes.watch_wire import Decoder
from selfheal_core.domain.objects import Pod, PodMetrics
from selfheal_core.domain.times import parse_time
from selfheal_core.observe.usage import measured
from tests.faults import behaviours
from tests.faults.behaviours import event
from tests.faults.server import FaultServer
from tests.unit.faults.conftest import Start

FINE = b'{"metadata":{"name":"fine","uid":"1","resourceVersion":"7"}}'
CONTAINER = b'{"metadata":{"name":"odd","uid":"2","resourceVersion":"8"},"status":{"containerStatuses":[{%b}]}}'
NAMED = b'{"metadata":{"name":"%b","uid":"2","resourceVersion":"8"}}'
ODD = {
    "bytes that are not UTF-8": NAMED % b"\xff\xfe\xc3(",
    "a surrogate that is cut short": NAMED % b"\xed\xa0\x80",
    "half a pair of escapes": NAMED % rb"\ud83d",
    "the other half": NAMED % rb"\udc00 x",
    "control characters": NAMED % b"\x00\x01\x1b",
    "a float": CONTAINER % b'"restartCount":1e30',
    "a number without end": CONTAINER % (b'"restartCount":1' + b"0" * 5000),
    "a number that is too large": CONTAINER % b'"restartCount":3000000000',
    "null for a list": b'{"metadata":{"name":"odd","uid":"2","resourceVersion":"8","finalizers":null}}',
    "a list for a name": b'{"metadata":{"name":["odd"],"uid":"2","resourceVersion":"8"}}',
}


def page(*items: bytes) -> bytes:
    return b'{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[' + b",".join(items) + b"]}"


@pytest.mark.parametrize("item", ODD.values(), ids=ODD.keys())
def test_of_a_list_only_the_odd_object_is_left_out(item: bytes) -> None:
    found = Decoder(Pod).page(page(FINE, item, FINE))

    assert [pod.metadata.name for pod in found.items] == ["fine", "fine"]
    assert (found.unreadable, found.metadata.resource_version) == (1, "9")


@pytest.mark.parametrize("item", ODD.values(), ids=ODD.keys())
def test_of_a_watch_it_is_known_which_object_can_t_be_read(item: bytes) -> None:
    found = Decoder(Pod).event(b'{"type":"MODIFIED","object":' + item + b"}\n")

    assert (found.kind, found.version, found.uid) == ("unreadable", "8", "2")


def test_a_whole_pair_of_escapes_is_text() -> None:
    found = Decoder(Pod).page(page(NAMED % rb"\ud83d\ude00 \\ud800", NAMED % rb"\ud800"))

    assert [pod.metadata.name for pod in found.items] == ["\U0001f600 \\ud800"]
    assert found.unreadable == 1


def test_what_is_skipped_may_be_nested_and_need_not_be_text() -> None:
    nested = b'{"metadata":{"name":"deep","uid":"2"},"x":' + b"[" * 64 + b'"\xff"' + b"]" * 64 + b"}"

    assert [pod.metadata.name for pod in Decoder(Pod).page(page(nested)).items] == ["deep"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", page(b"[" * 100_000), page(FINE)[:-1], b"<html>"])
def test_what_is_no_list_is_a_fault_of_the_server(body: bytes) -> None:
    with pytest.raises(ServerFault, match=r"not JSON|not a list"):
        Decoder(Pod).page(body)


def test_nesting_without_end_is_a_fault_of_the_server() -> None:
    with pytest.raises(ServerFault, match="not JSON"):
        Decoder(Pod).event(b'{"type":"ADDED","object":' + b'{"a":' * 100_000 + b"\n")


@pytest.mark.parametrize("text", ["99999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "soon"])
def test_moments_that_nothing_can_be_from_are_none(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize("text", ["1e999", "9" * 5000, "10E", "-10E", "Mi", ""])
def test_use_that_no_pod_can_have_is_unknown(text: str) -> None:
    body = json.dumps({"containers": [{"name": "app", "usage": {"cpu": text, "memory": "1Mi"}}]}).encode()

    assert [measured(item) for item in Decoder(PodMetrics).page(page(body)).items] == [None]


def raw_event(kind: str, item: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), item)


async def test_a_known_object_that_can_t_be_read_any_more_is_forgotten(server: FaultServer, reflect: Start) -> None:
    now_odd = b'{"metadata":{"name":"\xff","uid":"uid-a","resourceVersion":"200"}}'
    later: dict[str, Any] = {"metadata": {"name": "later", "uid": "uid-later", "resourceVersion": "201"}}
    server.on_watch.append(behaviours.lines(raw_event("MODIFIED", now_odd), event("ADDED", later), then="freeze"))
    reflected = await reflect()
    await reflected.until(lambda: "later" in reflected.names)

    assert reflected.names == {"b", "later"}
    assert ("deleted", "a") in reflected.heard
    assert reflected.reflector.statistics.unreadable == 1
    assert reflected.condition == "live"
    assert server.watches == 1


async def test_a_line_of_ten_megabytes_is_one_object_among_others(server: FaultServer, reflect: Start) -> None:
    large = b'{"metadata":{"name":"large","uid":"uid-l","resourceVersion":"200"},"x":"%b"}' % (b"\xff" * 10_000_000)
    later: dict[str, Any] = {"metadata": {"name": "later", "uid": "uid-later", "resourceVersion": "201"}}
    server.on_watch.append(behaviours.lines(raw_event("ADDED", large), event("ADDED", later), then="freeze"))
    reflected = await reflect()
    await reflected.until(lambda: "later" in reflected.names)

    assert reflected.names == {"a", "b", "large", "later"}
    assert server.watches == 1


async def test_a_line_beyond_all_bounds_is_told_and_a_new_list_goes_around_it(
    server: FaultServer, reflect: Start
) -> None:
    endless = raw_event("ADDED", b'{"metadata":{"name":"%b"}}' % (b"x" * 20_000_000))
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    server.always_watch = behaviours.lines(endless)
    server.cut()
    await reflected.until(lambda: any("too long" in source.reason for source in reflected.told), 20.0)
    server.always_watch = None
    await reflected.until(lambda: reflected.condition == "live", 20.0)

    assert reflected.names == {"a", "b"}
    assert server.lists >= 2
