"""`cabstand dask-worker`."""

from __future__ import annotations

import sys
import time

import pytest

from cabstand import cli
from cabstand.jobs import dask_worker


def test_without_a_scheduler_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["dask-worker"]) == 2
    assert "DASK_SCHEDULER_ADDRESS" in capsys.readouterr().err.splitlines()[-1]


def test_lifetime_is_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    monkeypatch.setattr(dask_worker, "GRACE_S", 1)
    began = time.monotonic()
    assert dask_worker.supervise([sys.executable, "-c", stubborn], 1) is None
    assert time.monotonic() - began < 60


def test_the_worker_s_exit_code_is_returned() -> None:
    assert dask_worker.supervise([sys.executable, "-c", "raise SystemExit(3)"], 60) == 3
    assert dask_worker.supervise([sys.executable, "-c", "pass"], 60) == 0
