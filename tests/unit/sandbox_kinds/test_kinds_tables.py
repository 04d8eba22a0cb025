"""The committed tables are what their generator writes, and stay small."""

import json
import os
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from selfheal_sandbox.kinds import protobuf, schema_node
from selfheal_sandbox.kinds.registry import BUILTIN, REVIEWS, SUBRESOURCE_KINDS

ROOT = Path(__file__).parents[3]
GENERATOR_PYTHON = ROOT / ".venv" / "tables" / "bin" / "python"
TABLES = ("schema.json", "protobuf.json")


def committed(name: str) -> str:
    return resources.files("selfheal_sandbox.kinds.tables").joinpath(name).read_text("utf-8")


@pytest.mark.skipif(not GENERATOR_PYTHON.exists(), reason="no environment for the generator: `make tables` makes it")
def test_generator_writes_the_committed_tables(tmp_path: Path) -> None:
    command = [str(GENERATOR_PYTHON), "-m", "selfheal_sandbox.kinds.tables.generate", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sandbox"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    for name in TABLES:
        assert (tmp_path / name).read_text("utf-8") == committed(name), f"{name} is stale: run `make tables`"


@pytest.mark.parametrize("name", TABLES)
def test_table_names_its_source_and_has_one_entry_a_line(name: str) -> None:
    text = committed(name)
    table = json.loads(text)
    assert set(table["source"]) == {"package", "version", "licence", "changes"}
    entries = table["definitions"] if name == "schema.json" else table["messages"]
    assert list(entries) == sorted(entries)
    assert text.count("\n") == len(entries) + 3
    assert len(text.encode()) < 600_000


def test_every_reference_in_the_schema_table_leads_somewhere() -> None:
    definitions = json.loads(committed("schema.json"))["definitions"]
    found: set[str] = set()

    def collect(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                found.add(node["$ref"].removeprefix(schema_node.REFERENCE_PREFIX))
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(definitions)
    assert found <= definitions.keys()


def test_subresources_have_definitions_too() -> None:
    for group, version, kind in SUBRESOURCE_KINDS.values():
        package = group.split(".")[0] or "core"
        assert f"io.k8s.api.{package}.{version}.{kind}" in schema_node.table().definitions


def test_what_kubectl_creates_can_be_decoded() -> None:
    without = {
        "ControllerRevision",
        "CustomResourceDefinition",
        "EndpointSlice",
        "IngressClass",
        "NetworkPolicy",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }  # no command of kubectl sends these in protobuf
    for resource in (*BUILTIN, *REVIEWS):
        message = protobuf.message_name(resource.group_version, resource.kind)
        assert (message in protobuf.table().messages) is (resource.kind not in without), message


def test_every_message_a_field_leads_to_is_in_the_table() -> None:
    messages = protobuf.table().messages
    kinds = {field.type for fields in messages.values() for field in fields}
    assert {kind for kind in kinds if kind.startswith("k8s.")} <= messages.keys()
