"""When two pod templates are the same."""

import re
from typing import Any

import pytest

from selfheal_sandbox.controllers.templates import labelled, safe_hash, same_template, template_hash

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "main", "image": "web:1", "env": [{"name": "A", "value": ""}]}]},
}


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"app": "web"}, "creationTimestamp": None},
        {"labels": {"app": "web"}, "annotations": {}},
        {"labels": {"app": "web", "pod-template-hash": "abc"}},
    ],
)
def test_nulls_empties_and_the_hash_label_make_no_difference(metadata: dict[str, Any]) -> None:
    other = {**TEMPLATE, "metadata": metadata}
    assert same_template(TEMPLATE, other)
    assert template_hash(TEMPLATE) == template_hash(other)


def test_another_image_is_another_template() -> None:
    other = {**TEMPLATE, "spec": {"containers": [{"name": "main", "image": "web:2"}]}}
    assert not same_template(TEMPLATE, other)
    assert template_hash(TEMPLATE) != template_hash(other)


def test_an_empty_string_is_a_value() -> None:
    other = {**TEMPLATE, "spec": {"containers": [{"name": "main", "image": "web:1", "env": [{"name": "A"}]}]}}
    assert not same_template(TEMPLATE, other)


def test_hash_looks_like_one_of_kubernetes() -> None:
    assert re.fullmatch("[bcdfghjklmnpqrstvwxz2456789]{1,10}", template_hash(TEMPLATE))


def test_hash_is_the_published_fnv_1a() -> None:
    # FNV-1a of "foobar" is 0xbf9cf968 = 3214735720; each digit is written as alphabet[ord(digit) % 27].
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    assert safe_hash("foobar") == "".join(alphabet[ord(digit) % 27] for digit in "3214735720")


def test_collisions_change_the_hash() -> None:
    assert len({template_hash(TEMPLATE, collisions) for collisions in range(4)}) == 4


def test_labelled_adds_to_a_copy() -> None:
    assert labelled(TEMPLATE, "abc")["metadata"]["labels"] == {"app": "web", "pod-template-hash": "abc"}
    assert TEMPLATE["metadata"]["labels"] == {"app": "web"}
