"""Limits that keep the source readable: short functions, short files, few parameters of compiled functions."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

from cabstand.clustering import kernels

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cabstand"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES_OF_A_FUNCTION = 44
MOST_LINES_OF_A_FILE = 250
MEDIAN_PARAMETERS, MOST_PARAMETERS = 4, 10


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_are_short() -> None:
    lengths = {
        f"{file.relative_to(SOURCE)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in FILES
        for node in functions(file)
    }
    assert {name: n for name, n in lengths.items() if n > MOST_LINES_OF_A_FUNCTION} == {}


def test_files_are_short() -> None:
    lengths = {str(file.relative_to(SOURCE)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES_OF_A_FILE} == {}


@pytest.fixture(scope="module")
def parameters() -> dict[str, int]:
    """How many parameters each compiled function of the kernels takes."""
    found = {}
    for module in pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Dispatcher):
                function = value.py_func
                found[f"{function.__module__}.{function.__name__}"] = function.__code__.co_argcount
    return found


def test_compiled_functions_take_few_parameters(parameters: dict[str, int]) -> None:
    assert len(parameters) > 20
    assert {name: n for name, n in parameters.items() if n > MOST_PARAMETERS} == {}
    assert statistics.median(parameters.values()) <= MEDIAN_PARAMETERS
