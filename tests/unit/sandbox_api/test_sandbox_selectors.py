import pytest

from selfheal_sandbox.store.objects import Object
from selfheal_sandbox.store.selectors import (
    SelectorError,
    matches_fields,
    matches_labels,
    matches_selector,
    parse_fields,
    parse_labels,
    selector_text,
)

LABELS = {"app": "web", "tier": "front", "size": "7", "example.org/team": "blue"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=web,tier=back", False),
        ("app!=api", True),
        ("missing!=api", True),
        ("app!=web", False),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("app notin (api,db)", True),
        ("app notin (web)", False),
        ("missing notin (web)", True),
        ("tier", True),
        ("missing", False),
        ("!missing", True),
        ("! missing", True),
        ("!tier", False),
        ("size>6,size<8", True),
        ("size>7", False),
        ("app>3", False),
        ("example.org/team=blue", True),
        ("app in (web),!missing,tier notin (back)", True),
        ("missing=", False),
        ("missing in (,x)", False),
    ],
)
def test_label_selectors(selector: str, expected: bool) -> None:
    assert matches_labels(parse_labels(selector), LABELS) is expected


@pytest.mark.parametrize(
    "selector",
    ["=", "a=b=c", "a in b", "a in (b", "a,", "a=b)", "-a=b", "a=-b", "(a)", "a b", ",a", "!", "a>x", "a=" + "v" * 64],
)
def test_malformed_label_selectors_are_refused(selector: str) -> None:
    with pytest.raises(SelectorError):
        parse_labels(selector)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selector_objects(selector: Object | None, expected: bool) -> None:
    assert matches_selector(selector, LABELS) is expected


def test_a_selector_object_matches_what_its_text_matches() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front", "back"]},
            {"key": "missing", "operator": "DoesNotExist"},
        ],
    }

    assert selector_text(selector) == "app=web,!missing,tier in (back,front)"
    assert matches_labels(parse_labels(selector_text(selector)), LABELS)


POD: Object = {
    "metadata": {"name": "p", "namespace": "n"},
    "spec": {"nodeName": "node-1"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("metadata.namespace=n,spec.nodeName==node-1", True),
        ("status.phase=Failed", False),
        ("status.podIP=", True),
        ("spec.hostNetwork=false", True),
    ],
)
def test_field_selectors(selector: str, expected: bool) -> None:
    assert matches_fields(parse_fields(selector, "Pod"), POD) is expected


def test_events_are_selected_by_the_fields_of_either_version() -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"name": "p"}, "source": {"component": "kubelet"}}

    assert matches_fields(parse_fields("involvedObject.name=p,source=kubelet", "Event"), event)
    assert matches_fields(parse_fields("regarding.name=p", "Event"), event)


@pytest.mark.parametrize("selector", ["spec.image=x", "name", "a", "=x"])
def test_unknown_fields_are_refused(selector: str) -> None:
    with pytest.raises(SelectorError):
        parse_fields(selector, "Pod")
