"""Policy rules: what they allow, what covers what, and how they are worded."""

import pytest

from selfheal_sandbox.rbac.rules import FULL_AUTHORITY, PolicyRule, merged, not_covered, rule_of, rule_text

PODS = PolicyRule(verbs=("get", "list"), api_groups=("",), resources=("pods", "pods/log"))
NAMED = PolicyRule(verbs=("get",), api_groups=("",), resources=("configmaps",), resource_names=("a", "b"))
SCALES = PolicyRule(verbs=("*",), api_groups=("apps",), resources=("*/scale",))
PATHS = PolicyRule(verbs=("get",), non_resource_urls=("/healthz", "/apis/*"))


@pytest.mark.parametrize(
    ("rule", "wanted", "allowed"),
    [
        (PODS, ("get", "", "pods", "", "p"), True),
        (PODS, ("list", "", "pods", "", ""), True),
        (PODS, ("get", "", "pods", "log", "p"), True),
        (PODS, ("delete", "", "pods", "", "p"), False),
        (PODS, ("get", "apps", "pods", "", "p"), False),
        (PODS, ("get", "", "pods", "exec", "p"), False),
        (NAMED, ("get", "", "configmaps", "", "a"), True),
        (NAMED, ("get", "", "configmaps", "", "c"), False),
        (NAMED, ("get", "", "configmaps", "", ""), False),
        (SCALES, ("patch", "apps", "deployments", "scale", "web"), True),
        (SCALES, ("patch", "apps", "deployments", "", "web"), False),
        (SCALES, ("patch", "apps", "deployments", "status", "web"), False),
        (FULL_AUTHORITY[0], ("escalate", "any", "thing", "at", "all"), True),
        (PATHS, ("get", "", "pods", "", ""), False),
    ],
)
def test_a_rule_allows_what_it_names(rule: PolicyRule, wanted: tuple[str, str, str, str, str], allowed: bool) -> None:
    assert rule.allows(*wanted) is allowed


@pytest.mark.parametrize(
    ("path", "verb", "allowed"),
    [
        ("/healthz", "get", True),
        ("/healthz/ping", "get", False),
        ("/apis/apps/v1", "get", True),
        ("/apis", "get", False),
        ("/healthz", "post", False),
    ],
)
def test_a_rule_allows_the_paths_it_names(path: str, verb: str, allowed: bool) -> None:
    assert PATHS.allows_path(verb, path) is allowed
    assert FULL_AUTHORITY[1].allows_path(verb, path)


@pytest.mark.parametrize(
    ("owned", "wanted", "missing"),
    [
        ([PODS], PolicyRule(("get",), ("",), ("pods",)), []),
        ([PODS], PolicyRule(("get", "delete"), ("",), ("pods",)), [PolicyRule(("delete",), ("",), ("pods",))]),
        ([NAMED], PolicyRule(("get",), ("",), ("configmaps",), ("a",)), []),
        ([NAMED], PolicyRule(("get",), ("",), ("configmaps",)), [PolicyRule(("get",), ("",), ("configmaps",))]),
        ([SCALES], PolicyRule(("get",), ("apps",), ("deployments/scale",)), []),
        ([PODS], PolicyRule(("*",), ("",), ("pods",)), [PolicyRule(("*",), ("",), ("pods",))]),
        ([PODS], PolicyRule(("get",), ("*",), ("pods",)), [PolicyRule(("get",), ("*",), ("pods",))]),
        ([PATHS], PolicyRule(("get",), non_resource_urls=("/apis/apps",)), []),
        (
            [PATHS],
            PolicyRule(("get",), non_resource_urls=("/metrics",)),
            [PolicyRule(("get",), non_resource_urls=("/metrics",))],
        ),
        (list(FULL_AUTHORITY), FULL_AUTHORITY[0], []),
        ([], PODS, [PolicyRule((verb,), ("",), (what,)) for what in ("pods", "pods/log") for verb in ("get", "list")]),
    ],
)
def test_nobody_holds_more_than_the_rules_say(
    owned: list[PolicyRule], wanted: PolicyRule, missing: list[PolicyRule]
) -> None:
    assert not_covered(owned, [wanted]) == missing


def test_rules_are_shown_as_a_cluster_shows_them() -> None:
    parts = not_covered([], [PODS])

    assert [rule_text(rule) for rule in merged(parts)] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["pods/log"], Verbs:["get" "list"]}',
    ]
    assert rule_text(PATHS) == '{NonResourceURLs:["/healthz" "/apis/*"], Verbs:["get"]}'
    assert rule_text(NAMED) == ('{APIGroups:[""], Resources:["configmaps"], ResourceNames:["a" "b"], Verbs:["get"]}')


def test_a_rule_is_read_with_whatever_it_leaves_out() -> None:
    assert rule_of({"verbs": ["get"], "nonResourceURLs": ["/x"]}) == PolicyRule(("get",), non_resource_urls=("/x",))
