"""Signs of life: what a terminal shows, what goes into a pipe, and what stays out of the result."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cabstand import activity, cli, log, trace


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The messages logged so far, with waits a hundred times as short."""
    monkeypatch.setattr(activity, "QUIET_S", 0.015)
    monkeypatch.setattr(activity, "REPEAT_S", 0.3)
    found: list[str] = []

    def read() -> list[str]:
        found.extend(json.loads(line)["message"] for line in capsys.readouterr().err.splitlines())
        return found

    return read


def test_in_a_pipe_each_long_stage_is_a_line(lines: Callable[[], list[str]]) -> None:
    with activity.command("cabstand test"):
        log.configure()
        _until(lambda: lines() == ["cabstand test"])
        with log.progress("clustering", 4) as advance:
            _until(lambda: lines()[1:2] == ["clustering"])
            advance(1)
            _until(lambda: len(lines()) > 2)
    assert lines()[2].startswith("clustering (25%, ")
    assert not [thread for thread in threading.enumerate() if thread.name == "activity"]


def test_a_command_that_logs_by_itself_gets_no_more_lines(lines: Callable[[], list[str]]) -> None:
    with activity.command("cabstand test"):
        log.configure()
        activity.stop()
        time.sleep(0.2)
        logging.getLogger("cabstand.test").info("its own")
    assert lines() == ["its own"]


def test_lines_carry_the_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(activity, "QUIET_S", 0.01)
    told: list[str] = []
    with activity.command("cabstand test"), trace.span("test") as span:
        log.configure()
        _until(lambda: bool(told.append(capsys.readouterr().err) or "".join(told)))
    assert json.loads("".join(told).splitlines()[0])["trace_id"] == span.trace_id


def test_every_command_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command waits for does not matter: an import, a server, a compiler."""
    from cabstand.jobs import models_list

    watched: list[str] = []

    def slow(*_: object) -> dict[str, object]:
        _until(lambda: "activity" in [thread.name for thread in threading.enumerate()])
        watched.append("models list")
        return {}

    monkeypatch.setattr(models_list, "run", slow)
    assert cli.run(["models", "list"]) == 0
    assert watched == ["models list"]


def _on_a_terminal(code: str, folder: Path) -> tuple[str, str]:
    """Run Python with a terminal as stderr and a pipe as stdout; return what each got."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, cwd=folder, env=env, text=True
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0, shown
    return out, shown.decode()


def test_a_terminal_shows_progress_and_the_result_stays_clean(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom cabstand import activity, cli, log\nfrom cabstand.jobs import models_list\n"
        "activity.DELAY_S = 0.01\n"
        "def run(*_):\n"
        "    time.sleep(0.5)\n"
        "    with log.progress('waiting for the registry'):\n"
        "        time.sleep(0.5)\n"
        "    return {'models': []}\n"
        "models_list.run = run\n"
        "sys.exit(cli.run(['models', 'list']))\n"
    )
    out, shown = _on_a_terminal(code, tmp_path)
    assert out == '{"models": []}\n'
    assert "cabstand models" in shown
    assert "waiting for the registry" in shown


def test_the_first_fit_says_on_a_terminal_that_it_compiles(tmp_path: Path) -> None:
    code = (
        "import os\nfrom cabstand.clustering.kernels import store\nstore.read = lambda name: None\n"
        "store.write = lambda name, value: None\n"
        "from cabstand import GeoDBSCAN\n"
        "GeoDBSCAN(50, 1).fit([[40.75, -73.98]])\nGeoDBSCAN(60, 1).fit([[40.75, -73.98]])\n"
    )
    out, shown = _on_a_terminal(code, tmp_path)
    assert out == ""
    assert shown.count("compiling the clustering kernels") == 1
