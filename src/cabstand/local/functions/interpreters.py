"""Find an installed Python: `python3 src/cabstand/local/functions/interpreters.py 3.13` prints its path or exits 1."""

from __future__ import annotations

import shutil
import subprocess
import sys

PROBE = "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"


def find(version: str) -> str | None:
    """Return a Python of `version` (such as "3.13"): this one, one on the path, or one of pyenv's; else None."""
    for candidate in (sys.executable, f"python{version}", *_pyenv(version)):
        path = shutil.which(candidate)
        if path and _runs(path, version):
            return path
    return None


def running() -> str:
    """Return the version that is running, such as "3.11"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _runs(path: str, version: str) -> bool:
    done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def _pyenv(version: str) -> list[str]:
    if shutil.which("pyenv") is None:
        return []
    listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False).stdout
    names = [name.strip() for name in listed.splitlines() if name.strip().startswith(f"{version}.")]
    found = [
        subprocess.run(["pyenv", "prefix", name], capture_output=True, text=True, check=False).stdout for name in names
    ]
    return [f"{prefix.strip()}/bin/python{version}" for prefix in found if prefix.strip()]


if __name__ == "__main__":
    path = find(sys.argv[1])
    sys.stdout.write(f"{path}\n" if path else "")
    sys.exit(path is None)
