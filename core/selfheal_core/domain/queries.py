"""PromQL for requests, errors and latency by application: the console asks it, dashboards show it. Pure.

Families are those of the demo service and of most client libraries: ``http_requests_total`` with the label ``status``
or ``code``, and ``http_request_duration_seconds_bucket``. An application is the labels ``namespace`` and ``app`` of a
target; a target without ``app`` is told by its label ``pod``.
"""

import re
from collections.abc import Iterable, Sequence

REQUESTS = "http_requests_total"
BUCKETS = "http_request_duration_seconds_bucket"
PROBE_ROUTES = frozenset({"/health", "/healthz", "/livez", "/ready", "/readyz", "/metrics"})
"""Traffic of the platform itself; it would water the error ratio of users down."""
PROBE_PATTERN = "/(healthz?|livez|readyz?|metrics)"
"""The same routes as one pattern, as a selector needs them."""
ROUTE_LABELS = ("route", "path", "handler")
"""Labels that hold the route, as different client libraries call it."""
FAILED = "5.*"
"""Status of a request that failed on our side: ``503``, or ``5xx`` where only the class is counted."""
QUANTILE = 0.95
SAMPLES_SECONDS = 300
"""Length of the window in which samples are counted, to learn how often targets are scraped."""

FIGURE = "figure"
"""Label that tells the figures of one batched answer apart; its values follow."""
RATE = "rate"
"""Requests per second, by ``status`` and ``code``."""
P95 = "p95"
"""95th percentile of latency in seconds."""
NEWEST = "newest"
"""When the newest sample was taken, in seconds since the epoch on Prometheus' own clock."""
SAMPLES = "samples"
"""Most samples that a series has in ``SAMPLES_SECONDS``."""


def quoted(text: str) -> str:
    r"""Write a string literal; nothing in ``text`` can end it early.

    Control characters, and what else does not print, are written as ``\u`` escapes; a lone surrogate, which no UTF-8
    can hold, as U+FFFD.
    """
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def any_of(texts: Iterable[str]) -> str:
    """Write a pattern, as a string literal, that matches exactly these texts."""
    return quoted("|".join(re.escape(text) for text in texts))


def application_figures(namespaces: Sequence[str], window_seconds: float) -> str:
    """Everything a list of applications shows, in one query for all of them.

    Args:
        namespaces: Scope; empty means all.
        window_seconds: Over which rates are taken; at least two scrapes long, better four.

    Returns:
        An expression whose samples carry ``FIGURE``, and ``namespace`` with ``app`` or, where the target has no such
        label, with ``pod``. Percentiles are only told of targets with ``app``, as those of pods do not add up.
    """
    span = f"[{_duration(window_seconds)}]"
    scope = _scope(namespaces)
    users = ",".join([*scope, *_users()])
    everything = "".join(f",{matcher}" for matcher in scope)
    rates = _by_application(f"rate({REQUESTS}{{%s,{users}}}{span})", "sum", "status", "code")
    labelled_buckets = f'rate({BUCKETS}{{app!="",{users}}}{span})'
    p95 = f"histogram_quantile({QUANTILE}, sum by (namespace, app, le) ({labelled_buckets}))"
    # Probes count here: a service that is scraped and has no users yet has no data, and is not unknown.
    newest = _by_application(f"timestamp({REQUESTS}{{%s{everything}}})", "max")
    samples = f"max(count_over_time({REQUESTS}{{{','.join(scope)}}}[{SAMPLES_SECONDS}s]))"
    figures = {RATE: rates, P95: p95, NEWEST: newest, SAMPLES: samples}
    return " or ".join(f'label_replace({each}, "{FIGURE}", "{name}", "", "")' for name, each in figures.items())


def error_ratio(namespace: str, app: str, window_seconds: float) -> str:
    """The share of failed requests of one application, 0..1; nothing where there were no requests."""
    users = ",".join((f"namespace={quoted(namespace)}", f"app={quoted(app)}", *_users()))
    span = f"[{_duration(window_seconds)}]"
    told = f'rate({REQUESTS}{{status!="",{users}}}{span}) or rate({REQUESTS}{{status="",code!="",{users}}}{span})'
    failed = (
        f'rate({REQUESTS}{{status=~"{FAILED}",{users}}}{span})'
        f' or rate({REQUESTS}{{status="",code=~"{FAILED}",{users}}}{span})'
    )
    return f"(sum({failed}) or 0 * sum({told})) / (sum({told}) > 0)"


def history(expression: str, length_seconds: float, step_seconds: float) -> str:
    """The values of an expression over the time before now.

    A subquery, whose times are Prometheus' own, where a range query would take them from our clock.
    """
    return f"({expression})[{_duration(length_seconds)}:{_duration(step_seconds)}]"


def _by_application(expression: str, aggregate: str, *more: str) -> str:
    """Aggregate by application, and by pod where there is no application; ``%s`` takes the matcher of the label."""
    parts = (("app", 'app!=""'), ("pod", 'app=""'))
    sums = [
        f"{aggregate} by ({', '.join(('namespace', label, *more))}) ({expression.replace('%s', matcher)})"
        for label, matcher in parts
    ]
    return f"({' or '.join(sums)})"


def _users() -> list[str]:
    """Matchers of users' requests."""
    return [f'{label}!~"{PROBE_PATTERN}"' for label in ROUTE_LABELS]


def _scope(namespaces: Sequence[str]) -> list[str]:
    """Matchers of the namespaces that were asked for."""
    return [f"namespace=~{any_of(namespaces)}"] if namespaces else []


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"
