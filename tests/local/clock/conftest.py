from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import Clients, emulator


@pytest.fixture(scope="module")
def aws() -> Iterator[Clients]:
    with emulator() as clients:
        yield clients
