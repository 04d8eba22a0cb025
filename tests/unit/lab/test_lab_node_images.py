from tests.lab.node_images import has_image

LISTING = """\
REF                               TYPE                                                 DIGEST       SIZE      PLATFORMS   LABELS
registry.lab/selfheal-service:1.0 application/vnd.docker.distribution.manifest.v2+json sha256:aaaaa 113.1 MiB linux/amd64 managed
registry.lab/healerd:0.1.0        application/vnd.docker.distribution.manifest.v2+json sha256:bbbbb 234.0 MiB linux/amd64 managed
sha256:11111                      application/vnd.docker.distribution.manifest.v2+json sha256:aaaaa 113.1 MiB linux/amd64 managed
"""  # noqa: E501 - as it is printed


def test_a_node_has_an_image_whose_name_stands_for_its_id() -> None:
    assert has_image(LISTING, "registry.lab/selfheal-service:1.0", "sha256:11111")


def test_another_build_under_the_same_name_is_another_image() -> None:
    assert not has_image(LISTING, "registry.lab/selfheal-service:1.0", "sha256:22222")
    assert not has_image(LISTING, "registry.lab/healerd:0.1.0", "sha256:11111")


def test_an_image_under_another_name_is_not_there_under_this_one() -> None:
    assert not has_image(LISTING, "registry.lab/selfheal-service:1.1", "sha256:11111")


def test_a_node_that_lists_nothing_has_nothing() -> None:
    assert not has_image("", "registry.lab/healerd:0.1.0", "sha256:11111")
