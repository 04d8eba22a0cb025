"""How the rights that a program used are read from a sandbox's request log and from a real audit log."""

import json
from pathlib import Path

import pytest

from tests.e2e.rights import Asked, Right, granted_by, in_audit_log, in_request_log, right, used, with_lists

ME = "system:serviceaccount:mine:healerd"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/pods", ("", "pods", "list")),
        ("/api/v1/namespaces/shop/pods/web-1/eviction", ("", "pods/eviction", "list")),
        ("/api/v1/namespaces/shop", ("", "namespaces", "list")),
        ("/apis/apps/v1/deployments?watch=1", ("apps", "deployments", "list")),
        ("/apis/apps/v1/namespaces/shop/deployments/web/scale", ("apps", "deployments/scale", "list")),
        ("/version", None),
        ("/api", None),
        ("/apis/apps/v1", None),
    ],
)
def test_a_path_is_called_as_a_role_calls_it(path: str, expected: Right | None) -> None:
    assert right("list", path) == expected


def test_only_what_this_user_asked_for_counts(tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    lines = [
        {"user": user, "verb": "list", "path": "/api/v1/pods", "code": 200} for user in (ME, f"{ME}-2", "somebody")
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert list(in_request_log(log, ME)) == [Asked(("", "pods", "list"), 200)]


def test_a_line_that_is_not_written_to_its_end_is_left_for_later(tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    line = json.dumps({"user": ME, "verb": "list", "path": "/api/v1/pods", "code": 200})
    log.write_text(f"{line}\n{line[:-5]}")

    assert len(list(in_request_log(log, ME))) == 1


def test_an_audit_log_names_resources_itself(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    about = {"resource": "pods", "subresource": "eviction", "namespace": "shop", "name": "web-1", "apiVersion": "v1"}
    lines = [
        {"user": {"username": ME}, "verb": "create", "objectRef": about, "responseStatus": {"code": 201}},
        {"user": {"username": ME}, "verb": "get", "requestURI": "/version", "responseStatus": {"code": 200}},
        {"user": {"username": "somebody"}, "verb": "get", "objectRef": about, "responseStatus": {"code": 403}},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert list(in_audit_log(log, ME)) == [Asked(("", "pods/eviction", "create"), 201), Asked(None, 200)]


def test_a_refusal_for_want_of_a_right_is_no_use_of_one() -> None:
    conflict, forbidden = Asked(("", "configmaps", "update"), 409), Asked(("", "secrets", "list"), 403)

    assert used([conflict, Asked(None, 200)]) == {("", "configmaps", "update")}
    with pytest.raises(AssertionError, match="secrets"):
        used([conflict, forbidden])


def test_a_watch_stands_for_the_list_before_it() -> None:
    assert with_lists({("", "pods", "watch")}) == {("", "pods", "watch"), ("", "pods", "list")}


def test_a_role_grants_each_verb_of_each_resource() -> None:
    rule = {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["list", "watch"]}

    assert len(granted_by({"rules": [rule]})) == 4
