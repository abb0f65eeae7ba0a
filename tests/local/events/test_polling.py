from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from botocore.exceptions import EndpointConnectionError

from cabstand.local.events.polling import poll
from cabstand.local.events.roles import Roles
from emulator import Clients, role


def test_an_emulator_that_is_away_is_said_once_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    away = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    def fail() -> None:
        raise away

    steps: list[Callable[[], object]] = [fail, fail, lambda: None, lambda: None, fail, stop.set]
    caplog.set_level(logging.INFO)
    poll("clock", lambda: steps.pop(0)() and None, 0, stop)
    assert steps == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING", "INFO"]


def test_calls_are_made_with_the_role(aws: Clients) -> None:
    clients = Roles(aws, "scheduler").clients(role(aws, "caller"))
    assert clients("sts").get_caller_identity()["Arn"].endswith(":assumed-role/caller/scheduler")
