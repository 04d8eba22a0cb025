import pytest

from tests.lab.node_images import config_of, manifest_of

LISTING = """\
REF                               TYPE                                                 DIGEST       SIZE
registry.lab/selfheal-service:1.0 application/vnd.docker.distribution.manifest.v2+json sha256:aaaaa 113.1 MiB
registry.lab/healerd:0.1.0        application/vnd.docker.distribution.manifest.v2+json sha256:bbbbb 234.0 MiB

"""


def test_a_name_stands_for_a_manifest() -> None:
    assert manifest_of(LISTING, "registry.lab/healerd:0.1.0") == "sha256:bbbbb"


@pytest.mark.parametrize("name", ["registry.lab/selfheal-service:1.1", "registry.lab/selfheal-service"])
def test_a_name_that_is_not_listed_stands_for_none(name: str) -> None:
    assert manifest_of(LISTING, name) == manifest_of("", name) == ""


def test_a_manifest_names_the_image() -> None:
    assert config_of('{"schemaVersion": 2, "config": {"digest": "sha256:11111"}}') == "sha256:11111"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": {}}', '{"config": null}'])
def test_what_is_no_manifest_names_none(text: str) -> None:
    assert config_of(text) == ""
