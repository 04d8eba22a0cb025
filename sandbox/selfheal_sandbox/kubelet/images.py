"""Image references and the programs they stand for."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

_REFERENCE = re.compile(
    r"^(?:(?P<prefix>[\w.-]+(?::\d+)?(?:/[\w.-]+)*)/)?(?P<name>[a-z0-9]+(?:[._-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?$"
)
SERVICE_TAGS = ("1.0", "1.1", "2.0")


class InvalidImageNameError(ValueError):
    """The text is no image reference."""


@dataclass(frozen=True, slots=True)
class Image:
    """A program that an image reference stands for.

    Attributes:
        entrypoint: replaced by a container's ``command``.
        arguments: replaced by a container's ``args``, dropped when it has a ``command``.
        bind_variable: environment variable that tells the program which address to listen on.
    """

    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    bind_variable: str | None = None

    def argv(self, command: list[str] | None, args: list[str] | None) -> list[str]:
        """Return what to run for a container with these ``command`` and ``args``, as a container runtime decides."""
        if command:
            return [*command, *(args or [])]
        return [*self.entrypoint, *(args or self.arguments)]


Table = Mapping[str, Mapping[str, Image]]
"""Repository (last path element) -> tag -> image. The tag ``*`` matches every tag."""

_PYTHON = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def own_images(version: str) -> Table:
    """Return the images every sandbox has: the project's programs (``version`` is that of the project) and a shell."""
    return {
        "selfheal-service": {tag: _service(tag) for tag in SERVICE_TAGS},
        "healerd": {version: _healerd(), "latest": _healerd()},
        "busybox": {"*": Image(arguments=("/bin/sh",))},
    }


def _service(tag: str) -> Image:
    return Image(
        entrypoint=(sys.executable, "-m", "selfheal_service"),
        environment={**_PYTHON, "SELFHEAL_SERVICE_VERSION": tag},
        bind_variable="SELFHEAL_SERVICE_HOST",
    )


def _healerd() -> Image:
    return Image(
        entrypoint=(sys.executable, "-m", "healerd"), environment=_PYTHON, bind_variable="SELFHEAL_HEALERD_HOST"
    )


def parse(reference: str) -> tuple[str, str]:
    """Return (repository without its registry and path, tag).

    Raises:
        InvalidImageNameError: the text is no image reference.
    """
    match = _REFERENCE.match(reference)
    if match is None:
        raise InvalidImageNameError(f"couldn't parse image name {reference!r}: invalid reference format")
    return match["name"], match["tag"] or "latest"


def find(table: Table, reference: str) -> Image | None:
    """Return the image, or None where a registry would not have it either.

    Raises:
        InvalidImageNameError: the text is no image reference.
    """
    repository, tag = parse(reference)
    tags = table.get(repository, {})
    return tags.get(tag) or tags.get("*")


def known(table: Table) -> str:
    """Return the names of all images, for messages."""
    return ", ".join(f"{repository}:{tag}" for repository, tags in sorted(table.items()) for tag in tags)
