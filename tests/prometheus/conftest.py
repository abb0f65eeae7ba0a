"""Prometheus's programs, and the script that makes its rules."""

from __future__ import annotations

import os
import shutil
from types import ModuleType

import pytest

from scripted import script


def program(name: str) -> str:
    """Return the path of a program; skip where it is absent, but not in CI."""
    found = shutil.which(name)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"no {name} on this machine (`apt-get install prometheus`, or npm of Node 18)")
    assert found is not None, f"{name} is not installed"
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    return program("prometheus")


@pytest.fixture(scope="session")
def npm() -> str:
    return program("npm")


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    """scripts/observability.py."""
    return script("observability")
