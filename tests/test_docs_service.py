"""The commands of docs/service.md work as printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import pytest

from serving import free_port, make_home, serving

PAGE = Path(__file__).resolve().parents[1] / "docs" / "service.md"


def test_the_lines_work_as_printed(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    key = make_home(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "cabstand serve" in blocks[0]
    log = tmp_path / "server.log"
    env = os.environ | {
        "CABSTAND_API_KEY": key,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with serving(tmp_path, log) as server:
        lines = blocks[1].replace("\\\n", " ").replace("http://127.0.0.1:8000", server.url).strip().splitlines()
        assert len(lines) == 8
        for line in lines:
            command = line.replace("cabstand predict", f"cabstand predict --url {server.url}")
            done = subprocess.run(
                ["bash", "-c", command], capture_output=True, text=True, env=env, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            if "/metrics" in line:
                assert "cabstand_requests_total" in done.stdout
            else:
                assert "detail" not in json.loads(done.stdout.splitlines()[-1]), done.stdout
    assert key not in log.read_text()


def test_the_first_prediction_works_as_printed(tmp_path: Path) -> None:
    """One shell runs them, including the key and the server; only the port differs."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    make_home(tmp_path)
    root = PAGE.parents[1]
    [block] = [
        one
        for one in re.findall(r"```sh\n(.*?)```", (root / "docs/first-steps.md").read_text(), re.DOTALL)
        if "curl" in one
    ]
    port, venv = free_port(), Path(sys.executable).parents[1]
    # Keep make from installing again, whatever the files' dates.
    make = f"make -o {venv}/.installed-run VENV={venv} serve SERVE='--port {port}'"
    text = block.replace("make serve", make).replace(".venv/bin/activate", f"{venv}/bin/activate")
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace(
        "predict pick", f"predict --url http://127.0.0.1:{port} pick"
    )
    # Each answer on its own line; the server ends with the shell.
    script = "set -e\n" + text.replace("curl -s", "echo; curl -s").replace("cabstand predict", "echo; cabstand predict")
    with subprocess.Popen(
        ["bash", "-c", script], cwd=root, env=os.environ | {"CABSTAND_HOME": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as shell:  # fmt: skip
        watch = threading.Timer(100, os.killpg, (shell.pid, signal.SIGKILL))
        watch.start()
        assert shell.stdout is not None
        # In front of the answer that counts, curl prints those of a service that was not ready yet.
        lines = (line[line.rfind("}{") + 1 :] for line in iter(shell.stdout.readline, ""))
        answers = (json.loads(line) for line in lines if line.startswith("{"))
        told = list(islice(answers, 4))
        os.killpg(shell.pid, signal.SIGTERM)
        watch.cancel()
    assert told[0]["status"] == "ready"
    assert {"low", "duration_min", "high"} == set(told[1]["answer"]) == set(told[3]["answers"][0])
    assert told[2]["answer"]["hotspot"] == 0


def test_every_command_and_setting_that_is_named_exists() -> None:
    from cabstand.settings import Settings, environment_names

    names = {name for field in Settings.model_fields for name in environment_names(field)}
    named = set(re.findall(r"`((?:CABSTAND|OTEL)_[A-Z_]+)`", PAGE.read_text())) - {"CABSTAND_API_"}
    assert named <= names
    targets = set(re.findall(r"^([a-z-]+):", (PAGE.parents[1] / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", PAGE.read_text())) <= targets
