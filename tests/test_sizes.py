"""How large a module, a function and a class may become before it holds two things."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("receiver", "handlers", "schemas", "yizhan")
FILES = [file for top in PACKAGES for file in sorted((ROOT / top).rglob("*.py"))]

MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 50
MAX_COLLABORATORS = 7


@cache
def trees() -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield file, node


@cache
def ours() -> set[str]:
    """The names of all classes of the project."""
    return {node.name for _, node in classes()}


def collaborators(node: ast.ClassDef) -> set[str]:
    """The classes of ours that the constructor takes."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            taken = [*part.args.posonlyargs, *part.args.args, *part.args.kwonlyargs]
            names = [n.id for a in taken for n in ast.walk(a) if isinstance(n, ast.Name)]
            return ours().intersection(names)
    return set()


def test_a_module_holds_one_thing() -> None:
    sizes = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {file: size for file, size in sizes.items() if size >= MAX_MODULE_LINES} == {}


def test_a_function_fits_a_screen() -> None:
    """Without its signature: a command has one line or more for each option."""
    sizes = {
        f"{file.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.body[0].lineno + 1
        for file, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: size for name, size in sizes.items() if size >= MAX_FUNCTION_LINES} == {}


def test_a_class_has_few_collaborators() -> None:
    found = {
        f"{file.relative_to(ROOT)}:{node.name}": sorted(collaborators(node))
        for file, node in classes()
    }
    assert {n: parts for n, parts in found.items() if len(parts) > MAX_COLLABORATORS} == {}
    assert collaborators(next(n for _, n in classes() if n.name == "Intake"))
