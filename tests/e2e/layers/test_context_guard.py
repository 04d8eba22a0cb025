"""Which clusters the suite refuses: one rule, by words in their names."""

import pytest

from tests.e2e.layers.context_guard import ALLOW, refusal


@pytest.mark.parametrize(
    "name", ["prod", "prod-eu", "gke_shop_live", "arn:aws:eks:eu:1:cluster/PRODUCTION", "api.prd.example.com", "prod1"]
)
def test_a_name_with_a_word_for_production_is_refused(name: str) -> None:
    assert f"'{name}' looks like production" in refusal(["kind-kind", name], {})
    assert f"{ALLOW}=1" in refusal([name], {})


@pytest.mark.parametrize("name", ["kind-kind", "product-test", "reproduction", "olive", "lab", "127.0.0.1", ""])
def test_any_other_name_is_fine(name: str) -> None:
    assert refusal([name], {}) == ""


@pytest.mark.parametrize(("value", "allowed"), [("1", True), ("0", False), ("", False)])
def test_only_a_clear_yes_allows_production(value: str, allowed: bool) -> None:
    assert (refusal(["prod"], {ALLOW: value}) == "") is allowed
