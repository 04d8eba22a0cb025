"""The part of JSONPath that printer columns use."""

from typing import Any

import pytest

from selfheal_sandbox.kinds.json_path import find

OBJECT: dict[str, Any] = {
    "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"hosts": ["a", "b"], "ports": [{"number": 80}, {"number": 443}], "zero": 0, "off": False},
    "status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Up", "status": "True", "on": True}]},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.zero", 0),
        (".spec.off", False),
        (".spec.hosts", ["a", "b"]),
        (".spec.hosts[0]", "a"),
        (".spec.hosts[-1]", "b"),
        (".spec.hosts[7]", None),
        (".spec.ports[*].number", 80),
        (".spec.ports[1].number", 443),
        (r".metadata.labels.app\.kubernetes\.io/name", "web"),
        (".metadata.labels['app.kubernetes.io/name']", "web"),
        ("{.spec.zero}", 0),
        ('.status.conditions[?(@.type=="Up")].status', "True"),
        (".status.conditions[?(@.type=='Ready')].status", "False"),
        (".status.conditions[?(@.on==true)].type", "Up"),
        ('.status.conditions[?(@.type=="Gone")].status', None),
        (".spec.nothing.below", None),
        (".spec.zero.below", None),
        ("spec.zero", None),
        (".spec[?(@.x>1)]", None),
    ],
)
def test_first_value_at_a_path(path: str, value: Any) -> None:
    assert find(OBJECT, path) == value
