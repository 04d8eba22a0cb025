import sys

import pytest

from selfheal_sandbox.kubelet.images import Image, InvalidImageNameError, find, known, own_images, parse

TABLE = own_images("0.1.0")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("busybox", ("busybox", "latest")),
        ("selfheal-service:1.0", ("selfheal-service", "1.0")),
        ("ghcr.io/x/selfheal-service:1.1", ("selfheal-service", "1.1")),
        ("localhost:5000/healerd:0.1.0", ("healerd", "0.1.0")),
        (f"busybox:1.36@sha256:{'a' * 64}", ("busybox", "1.36")),
    ],
)
def test_the_last_path_element_and_the_tag_count(reference: str, expected: tuple[str, str]) -> None:
    assert parse(reference) == expected


@pytest.mark.parametrize("reference", ["", "Busybox", "a b", "busybox:", "x//y", "busybox:a b"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(InvalidImageNameError, match="couldn't parse image name"):
        parse(reference)


@pytest.mark.parametrize("reference", ["selfheal-service:1.0", "x/selfheal-service:2.0", "healerd:0.1.0", "busybox:9"])
def test_own_images_exist(reference: str) -> None:
    assert find(TABLE, reference) is not None


@pytest.mark.parametrize("reference", ["selfheal-service:9.9", "selfheal-service", "nginx:1.27"])
def test_others_do_not(reference: str) -> None:
    assert find(TABLE, reference) is None


def test_a_tag_of_the_service_tells_it_its_version() -> None:
    image = find(TABLE, "selfheal-service:1.1")

    assert image is not None
    assert image.environment["SELFHEAL_SERVICE_VERSION"] == "1.1"
    assert image.argv(None, None) == [sys.executable, "-m", "selfheal_service"]


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        (None, None, ["run", "default"]),
        (None, ["x"], ["run", "x"]),
        (["sh"], None, ["sh"]),
        (["sh"], ["-c", "true"], ["sh", "-c", "true"]),
        ([], [], ["run", "default"]),
    ],
)
def test_command_and_args_as_a_container_runtime_takes_them(
    command: list[str] | None, args: list[str] | None, expected: list[str]
) -> None:
    assert Image(("run",), ("default",)).argv(command, args) == expected


def test_all_images_can_be_named() -> None:
    assert known(TABLE) == (
        "busybox:*, healerd:0.1.0, healerd:latest, selfheal-service:1.0, selfheal-service:1.1, selfheal-service:2.0"
    )
