"""Terraform and Python read the same workflows from their one file."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from cabstand.workflows import definitions

pytestmark = pytest.mark.cloud


def test_both_readers_agree(terraform_there: None, tmp_path: Path) -> None:
    source = files("cabstand.workflows").joinpath(definitions.FILE)
    (tmp_path / definitions.FILE).write_text(source.read_text())
    line = f'jsonencode(yamldecode(file("{definitions.FILE}")))\n'
    command = [shutil.which("terraform") or "terraform", "console"]
    run = subprocess.run(command, cwd=tmp_path, input=line, capture_output=True, text=True, check=True)
    read = json.loads(json.loads(run.stdout))
    assert read == yaml.safe_load(source.read_text())
    assert read["workflows"].keys() == definitions.load().keys()
