"""Formats of names, labels and keys, with the API server's wording (k8s.io/apimachinery/pkg/util/validation)."""

import re
from collections.abc import Callable

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PERCENT = "[0-9]+%"

NameRule = Callable[[str], list[str]]
"""What is wrong with a name: empty when nothing is."""


def dns_label(name: str) -> list[str]:
    """RFC 1123 label: names of namespaces, containers, volumes."""
    wording = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
        "end with an alphanumeric character"
    )
    return _problems(name, 63, _LABEL, wording, "my-name", "123-abc")


def dns_1035_label(name: str) -> list[str]:
    """RFC 1035 label: names of services."""
    wording = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character"
    )
    return _problems(name, 63, _DNS_1035, wording, "my-name", "abc-123")


def dns_subdomain(name: str) -> list[str]:
    """RFC 1123 subdomain: names of most objects."""
    wording = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
        "start and end with an alphanumeric character"
    )
    return _problems(name, 253, _SUBDOMAIN, wording, "example.com")


def path_segment(name: str) -> list[str]:
    """Anything that can stand in a request path: names of roles and role bindings."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{mark}'" for mark in "/%" if mark in name]


def label_value(value: str) -> list[str]:
    """Value of a label."""
    wording = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
        "start and end with an alphanumeric character"
    )
    return _problems(value, 63, _LABEL_VALUE, wording, "MyValue", "my_value", "12345")


def qualified_name(key: str) -> list[str]:
    """Key of a label or annotation, name of a finalizer: `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    problems = [f"prefix part {problem}" for problem in dns_subdomain(prefix)] if slash else []
    if slash and not prefix:
        problems = ["prefix part must be non-empty"]
    if not name:
        return [*problems, "name part must be non-empty"]
    wording = (
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character"
    )
    return problems + _problems(name, 63, _QUALIFIED, wording, "MyName", "my.name", "123-abc")


def config_key(key: str) -> list[str]:
    """Key of a ConfigMap or Secret."""
    wording = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    return path_dots(key) + _problems(key, 253, _CONFIG_KEY, wording, "key.name", "KEY_NAME", "key-name")


def path_dots(key: str) -> list[str]:
    """A key that becomes a file name may not lead out of its folder."""
    if key in (".", ".."):
        return [f"must not be '{key}'"]
    return ["must not start with '..'"] if key.startswith("..") else []


def port_name(name: str) -> list[str]:
    """Name of a container port (IANA service name)."""
    problems = []
    if len(name) > 15:
        problems.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    elif not re.search("[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def percent(text: str) -> list[str]:
    """A share such as `25%`."""
    wording = "a valid percent string must be a numeric string followed by an ending '%'"
    return _problems(text, 63, _PERCENT, wording, "1%", "93%")


def _problems(text: str, limit: int, pattern: str, wording: str, *examples: str) -> list[str]:
    problems = []
    if len(text) > limit:
        problems.append(f"must be no more than {limit} {'characters' if limit == 63 else 'bytes'}")
    if not re.fullmatch(pattern, text):
        shown = ",  or ".join(f"'{example}'" for example in examples)
        problems.append(f"{wording} (e.g. {shown}, regex used for validation is '{pattern}')")
    return problems
