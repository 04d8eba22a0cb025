"""What may be broken for practice: an embedded cluster on this machine, told by its name and its address together."""

import pytest

from selfheal_core.cluster.kubernetes.configuration import Identity


def identity(context: str, server: str) -> Identity:
    return Identity(context, "cluster", "user", "default", server)


@pytest.mark.parametrize("context", ["selfheal-sandbox-default", "selfheal-sandbox-default-viewer"])
def test_a_sandbox_is_one(context: str) -> None:
    assert identity(context, "https://127.0.0.1:40321").is_sandbox


@pytest.mark.parametrize(
    ("context", "server"),
    [
        ("selfheal-sandbox-default", "https://203.0.113.7:6443"),
        ("selfheal-sandbox", "https://prod-eu.example:443"),
        ("kind-test", "https://127.0.0.1:6443"),
        ("selfheal-sandbox", ""),
    ],
)
def test_nothing_else_is_taken_for_one(context: str, server: str) -> None:
    assert not identity(context, server).is_sandbox
