"""The setting that says where Prometheus is."""

import pytest

from selfheal_core.cluster.prometheus.address import ServiceAddress, UrlAddress, parse_address
from selfheal_core.errors import BadUsage


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://prometheus.monitoring:9090", UrlAddress("http://prometheus.monitoring:9090")),
        ("https://host/prometheus/", UrlAddress("https://host/prometheus")),
        ("http://[::1]:9090", UrlAddress("http://[::1]:9090")),
        ("monitoring/prometheus-operated:web", ServiceAddress("monitoring", "prometheus-operated", "web")),
        (" monitoring/prometheus:9090 ", ServiceAddress("monitoring", "prometheus", "9090")),
        ("none", None),
    ],
)
def test_reads_a_url_or_a_service(text: str, address: UrlAddress | ServiceAddress | None) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "prometheus",
        "monitoring/prometheus",
        "monitoring/prometheus:",
        "monitoring/prometheus:99999",
        "monitoring/prometheus:0",
        "Monitoring/prometheus:web",
        "a/b/c:1",
        "../x:1",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://host:0",
        "http://ho st",
        "http://host/\x1b[2J",
        "http://[::1",
        "",
    ],
)
def test_what_is_no_address_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(BadUsage) as raised:
        parse_address(text)
    assert "NAMESPACE/SERVICE:PORT" in raised.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        "http://admin:hunter2@host:9090",
        "https://hunter2@host",
        "http://host/?token=hunter2",
        "http://host#hunter2",
        "http://admin:hunter2@[::1",
    ],
)
def test_a_secret_in_the_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadUsage) as raised:
        parse_address(text)
    assert "hunter2" not in str(raised.value)


def test_a_service_is_named_as_a_proxy_path_needs_it() -> None:
    assert ServiceAddress("m", "p", "web").proxy_name == "p:web"
    assert ServiceAddress("m", "p", "web", "https").proxy_name == "https:p:web"
