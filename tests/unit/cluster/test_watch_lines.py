"""Lists and watch lines: decoded to our structs, tolerant of single objects."""

import json
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.api_errors import ServerFault
from selfheal_core.cluster.kubernetes.watch_wire import Decoder
from selfheal_core.domain.objects import Pod

DECODER: Decoder[Pod] = Decoder(Pod)


def line(kind: str, item: Any) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def pod(name: str, version: str = "5", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": version}, **fields}


@pytest.mark.parametrize(("kind", "expected"), [("ADDED", "stored"), ("MODIFIED", "stored"), ("DELETED", "deleted")])
def test_reads_a_change(kind: str, expected: str) -> None:
    event = DECODER.event(line(kind, pod("a", spec={"nodeName": "n1", "unknown": [1, {}]})))
    assert event.kind == expected
    assert event.version == "5"
    assert event.object is not None
    assert event.object.spec.node_name == "n1"


def test_reads_a_bookmark_whose_object_is_hollow() -> None:
    hollow = {
        "kind": "Pod",
        "metadata": {"resourceVersion": "9", "creationTimestamp": None},
        "spec": {"containers": None},
    }
    assert DECODER.event(line("BOOKMARK", hollow))[:2] == ("bookmark", "9")


def test_keeps_the_place_of_an_object_that_does_not_fit() -> None:
    event = DECODER.event(line("MODIFIED", pod("a", "12", spec={"containers": 5})))
    assert event[:3] == ("unreadable", "12", None)


def test_reads_an_error_with_and_without_envelope() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    for text in (line("ERROR", status), json.dumps(status).encode() + b"\n"):
        event = DECODER.event(text)
        assert event.kind == "error"
        assert (event.status.code, event.status.reason) == (410, "Expired")


@pytest.mark.parametrize("text", [b"{nonsense}\n", b'{"type":"ADDED","obj', b"\n", b"\xff\xfe\n", b'"text"\n', b"[]\n"])
def test_a_line_that_makes_no_sense_is_the_server_s_fault(text: bytes) -> None:
    with pytest.raises(ServerFault):
        DECODER.event(text)


def test_reads_a_page() -> None:
    page = DECODER.page(
        json.dumps({"metadata": {"resourceVersion": "7", "continue": "t"}, "items": [pod("a"), pod("b")]}).encode()
    )
    assert [item.metadata.name for item in page.items] == ["a", "b"]
    assert (page.metadata.resource_version, page.metadata.continue_, page.unreadable) == ("7", "t", 0)


def test_an_empty_list_may_be_null() -> None:
    assert DECODER.page(b'{"metadata":{"resourceVersion":"7"},"items":null}').items == []


def test_leaves_out_objects_that_do_not_fit() -> None:
    items = [pod("a"), pod("odd", spec={"containers": 5}), pod("b")]
    page = DECODER.page(json.dumps({"metadata": {"resourceVersion": "7"}, "items": items}).encode())
    assert [item.metadata.name for item in page.items] == ["a", "b"]
    assert page.unreadable == 1
    assert page.metadata.resource_version == "7"


@pytest.mark.parametrize("text", [b"<html>", b"[]", b'{"items": 5}', b""])
def test_a_list_that_makes_no_sense_is_the_server_s_fault(text: bytes) -> None:
    with pytest.raises(ServerFault):
        DECODER.page(text)
