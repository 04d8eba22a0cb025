"""Writes `schema.json` and `protobuf.json`: what the sandbox knows of the Kubernetes API's types.

Run it in the environment of `requirements/tables.txt` (`make tables` does); it needs nothing else of this project:

    PYTHONPATH=sandbox .venv/tables/bin/python -m selfheal_sandbox.kinds.tables.generate [FOLDER]
"""

import json
import sys
from pathlib import Path
from typing import Any

from selfheal_sandbox.kinds.tables.protobuf_table import protobuf_table
from selfheal_sandbox.kinds.tables.schema_table import roots, schema_table

Node = dict[str, Any]


def main(arguments: list[str]) -> None:
    """Write the tables into the folder named, or into this one."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    schema_source, definitions = schema_table()
    (folder / "schema.json").write_text(table({"source": schema_source}, "definitions", definitions), "utf-8")
    wire_source, messages = protobuf_table(definitions, roots())
    (folder / "protobuf.json").write_text(table({"source": wire_source}, "messages", messages), "utf-8")


def table(head: Node, key: str, entries: Node) -> str:
    """A JSON object whose last member is a large object, written with one entry a line."""
    lines = ",\n".join(f"{json.dumps(name)}:{compact(entries[name])}" for name in sorted(entries))
    opening = "".join(f"{json.dumps(name)}:{compact(value)},\n" for name, value in head.items())
    return f"{{{opening}{json.dumps(key)}:{{\n{lines}\n}}}}\n"


def compact(value: Any) -> str:
    """JSON without spaces, keys in order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


if __name__ == "__main__":
    main(sys.argv[1:])
