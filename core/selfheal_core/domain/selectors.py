"""Label selectors, as the API server reads them."""

from collections.abc import Mapping

from selfheal_core.domain.objects import LabelRequirement, LabelSelector


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy a selector; an empty selector is satisfied by everything."""
    for key, value in selector.match_labels.items():
        if labels.get(key) != value:
            return False
    return all(_satisfied(requirement, labels) for requirement in selector.match_expressions)


def _satisfied(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
