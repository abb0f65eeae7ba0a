"""The saved plan of the example is what Terraform plans, and a changed size changes the price."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cabstand.costs import table
from cabstand.costs.estimate import estimate

pytestmark = pytest.mark.cloud
EXAMPLE = Path(__file__).resolve().parents[1] / "costs/example"


def test_the_price_follows_terraform(tmp_path: Path, terraform_there: None) -> None:
    plugins = os.environ.get("TF_PLUGIN_DIR")
    root = tmp_path / "root"
    shutil.copytree(EXAMPLE, root)

    def terraform(*words: str) -> str:
        done = subprocess.run(["terraform", *words], cwd=root, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def plan(size: str) -> dict[str, Any]:
        terraform("plan", "-input=false", "-out=plan", f"-var=server_instance_type={size}")
        return json.loads(terraform("show", "-json", "plan"))  # type: ignore[no-any-return]

    terraform("init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else []))
    small, medium = (estimate(plan(size), table.load()) for size in ("t4g.small", "t4g.medium"))
    saved = estimate(json.loads((EXAMPLE / "plan.json").read_text()), table.load())
    assert small == saved
    assert medium.idle_usd_month - small.idle_usd_month == pytest.approx(730 * 0.0168, abs=0.011)
    assert medium.asleep_usd_month == small.asleep_usd_month
