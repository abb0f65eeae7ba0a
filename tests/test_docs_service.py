"""The lines of docs/service.md, as they are printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving import make_home, serving

PAGE = Path(__file__).resolve().parents[1] / "docs" / "service.md"


@pytest.mark.integration
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


def test_every_command_and_setting_that_is_named_exists() -> None:
    from cabstand.settings import Settings, environment_names

    names = {name for field in Settings.model_fields for name in environment_names(field)}
    named = set(re.findall(r"`((?:CABSTAND|OTEL)_[A-Z_]+)`", PAGE.read_text())) - {"CABSTAND_API_"}
    assert named <= names
    targets = set(re.findall(r"^([a-z-]+):", (PAGE.parents[1] / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", PAGE.read_text())) <= targets
