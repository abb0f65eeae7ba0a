"""The programs that the commands about an account run, and their versions."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from cabstand import __version__
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject

_PATIENCE_S = 20


class Tool(NamedTuple):
    """A program; `least` is the oldest version that will do."""

    names: tuple[str, ...]  # any of them
    words: tuple[str, ...]  # which print its version
    least: tuple[int, int]
    missing: Literal["warn", "fail"]
    hint: str


TOOLS = (
    Tool(
        ("terraform",), ("version",), (1, 11), "fail",
        "install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install",
    ),
    Tool(("aws",), ("--version",), (1, 29), "warn", "only the tunnel to MLflow needs it: pip install awscli"),
    Tool(("podman", "docker"), ("--version",), (4, 0), "warn", "only images need it: apt-get install podman"),
)  # fmt: skip


def check(subject: Subject) -> Iterator[Line]:
    """Compare each program's version with the oldest that will do."""
    del subject
    yield Line("cabstand", "ok", f"{__version__} on Python {platform.python_version()}")
    for tool in TOOLS:
        yield _checked(tool)


def _checked(tool: Tool) -> Line:
    # The AWS CLI may be where this Python is, outside PATH.
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}"
    program = next((found for name in tool.names if (found := shutil.which(name, path=path))), None)
    label = " or ".join(tool.names)
    if program is None:
        return Line(label, tool.missing, "is not installed", tool.hint)
    done = subprocess.run([program, *tool.words], capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    version = re.search(r"(\d+)\.(\d+)(\.\d+)?", done.stdout + done.stderr)
    if version is None:
        return Line(label, tool.missing, f"{program} does not tell its version", tool.hint)
    if (int(version[1]), int(version[2])) < tool.least:
        return Line(label, tool.missing, f"{version[0]} is too old", tool.hint)
    return Line(label, "ok", version[0])
