"""The house rules of CONTRIBUTING.md, as far as a program can see them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "cli", "tui", "healerd", "service", "sandbox", "checks", "bastion")
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base", "manager", "managers"}
MODULE_LINES = 500
FUNCTION_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def code_lines(function: Function) -> int:
    docstring = ast.get_docstring(function) or ""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)


@pytest.fixture(scope="module")
def named_functions() -> list[tuple[str, Function]]:
    return [(f"{path.relative_to(ROOT)}:{one.lineno} {one.name}", one) for path in modules() for one in functions(path)]


def test_there_is_something_to_look_at() -> None:
    assert len(modules()) > 50


def test_module_names_say_what_is_inside() -> None:
    assert [path for path in modules() if path.stem in EMPTY_NAMES] == []


def test_modules_are_short() -> None:
    assert [path for path in modules() if path.read_text().count("\n") > MODULE_LINES] == []


def test_functions_are_short(named_functions: list[tuple[str, Function]]) -> None:
    assert [name for name, function in named_functions if code_lines(function) > FUNCTION_LINES] == []


def test_most_functions_are_very_short(named_functions: list[tuple[str, Function]]) -> None:
    lengths = sorted(code_lines(function) for _, function in named_functions)

    assert lengths[len(lengths) // 2] <= 8


def test_every_function_says_what_it_returns(named_functions: list[tuple[str, Function]]) -> None:
    assert [name for name, function in named_functions if function.returns is None] == []


def test_tests_never_patch_our_own_code() -> None:
    patching = ("mock." + "patch", "Magic" + "Mock", "monkeypatch." + "setattr")
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in (ROOT / "tests").rglob("*.py")
        for word in patching
        if word in path.read_text()
    ]

    assert found == []


def test_nothing_in_the_repository_is_binary() -> None:
    skipped = {".git", ".venv", "__pycache__"}
    found = [
        path.relative_to(ROOT)
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(part in skipped or (part.startswith(".") and part.endswith("_cache")) for part in path.parts)
        and b"\0" in path.read_bytes()[:8192]
    ]

    assert [path for path in found if path.parts[0] not in {"build", "dist", ".hypothesis", ".cache"}] == []
