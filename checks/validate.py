"""Validate objects against the schemas of Kubernetes releases, strictly: unknown fields are errors.

A program of its own, for the environment that has kubernetes-validate: reads ``{"versions": [...], "objects": [...]}``
from standard input and writes the complaints, a list of [version, Kind/name, what is wrong].
"""

import json
import sys
from typing import Any

import kubernetes_validate


def complaint(version: str, subject: dict[str, Any]) -> str:
    """Return what is wrong with an object in a Kubernetes release such as ``1.30``, "" if nothing is."""
    try:
        kubernetes_validate.validate(subject, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return "no schema"
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return ""


def main() -> None:
    """Validate what standard input holds."""
    asked = json.load(sys.stdin)
    found = [
        [version, f"{subject['kind']}/{subject['metadata']['name'] if 'metadata' in subject else ''}", wrong]
        for version in asked["versions"]
        for subject in asked["objects"]
        if (wrong := complaint(version, subject))
    ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
