"""An emulated account for the session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from cloud_account import Account, copy_of_infra
from emulator import MODULE, started


@pytest.fixture(scope="session")
def terraform_there() -> None:
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    """The emulator in a process of its own."""
    with started(MODULE) as url:
        yield url


@pytest.fixture(scope="session")
def account(terraform_there: None, emulator_url: str, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return Account(emulator_url, copy_of_infra(tmp_path_factory.mktemp("account")))
