"""The packed function's tree, Lambda's runtime beside it, and a home to serve from."""

from __future__ import annotations

from pathlib import Path

import pytest

import lambda_runtime
from bundles import point, small_bundle
from cabstand.settings import Settings
from serving import make_key


@pytest.fixture(scope="session")
def python() -> tuple[str, str]:
    path, version = lambda_runtime.choose_python()
    print(f"\nthe function runs under Python {version} ({'Lambda has it' if version != '3.11' else 'the running one'})")
    return path, version


@pytest.fixture(scope="session")
def tree(python: tuple[str, str]) -> Path:
    return lambda_runtime.build_tree(python[1])


@pytest.fixture(scope="session")
def runtime(python: tuple[str, str]) -> Path:
    return lambda_runtime.install_runtime(python[1])


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with a bundle and a key."""
    folder = tmp_path_factory.mktemp("function")
    small_bundle(folder / "artifacts")
    point(folder / "artifacts")
    return folder, make_key(Settings(home=folder))
