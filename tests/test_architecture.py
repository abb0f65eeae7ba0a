"""docs/architecture.svg is drawn from the import contracts, and shows every package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_picture_is_up_to_date() -> None:
    code = "import sys, runpy; sys.stdout.write(runpy.run_path(sys.argv[1])['draw']())"
    script = str(ROOT / "scripts/architecture.py")
    done = subprocess.run([sys.executable, "-c", code, script], capture_output=True, text=True, check=True)
    picture = (ROOT / "docs/architecture.svg").read_text()
    assert done.stdout == picture, "docs/architecture.svg is out of date (make docs)"
    shown = set(re.findall(r'class="name"[^>]*>(\w+)<', picture))
    packages = {folder.parent.name for folder in (ROOT / "src/cabstand").glob("*/__init__.py")}
    assert packages <= shown
