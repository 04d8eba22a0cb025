"""Several versions of helm and kubectl, for tests that run with each of them."""

import os
from pathlib import Path

import pytest

from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.resolve import exactly
from selfheal_sandbox.tools.versions import HELM, KUBECTL, OLDER_HELM, OLDER_KUBECTL, Tool

HELM_VERSIONS = (OLDER_HELM, HELM)
KUBECTL_VERSIONS = (OLDER_KUBECTL, KUBECTL)


def version(tool: Tool) -> str:
    """Return how a test says which version it runs with."""
    return f"{tool.name}-{tool.version}"


def program(tool: Tool) -> Path:
    """Return the path of a version; without one the test is skipped, and fails where CI runs it."""
    try:
        return exactly(tool)
    except FetchError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
