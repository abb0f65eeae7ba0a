"""Build the prediction function's zip: the same bytes for the same sources and lock.

    scripts/lambda_package.py --arch x86_64|arm64 --python 3.13

Wheels for Lambda's Linux come from requirements/lambda.txt by hash; of cabstand, only the packages that the service
imports. Tests and stubs are left out. If the target's Python is installed, it compiles bytecode that stays valid
whatever the files' dates, so that a cold start compiles nothing, and imports the handler from the finished tree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from cabstand.local.functions import interpreters

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "lambda.txt"
LIMIT_MIB = 150
PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
PACKAGES = ("api", "io", "clustering", "modelling", "settings")
FILES = ("activity.py", "__init__.py", "errors.py", "log.py", "tlc.py", "trace.py", "py.typed")
# Never imported by the handler; `make test-lambda` would fail otherwise.
STRIPPED = (
    "bin",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/_pyinstaller",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/testing",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "cabstand/clustering/kernels",
)
STRIPPED_NAMES = ("tests", "test", "__pycache__")
STRIPPED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".h", ".a", ".lib", ".md")
EPOCH = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    """Build the zip that the command line asks for and print one JSON object about it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default="x86_64")
    parser.add_argument("--python", default="3.13", help="Python of the function (SnapStart needs 3.12 or newer)")
    parser.add_argument("--tree", type=Path, help="folder of the unzipped tree; by default in build/")
    parser.add_argument("--out", type=Path, help="path of the zip; by default in dist/")
    given = parser.parse_args()
    tree = (given.tree or ROOT / "build" / f"lambda-{given.arch}-{given.python}").absolute()
    out = given.out or ROOT / "dist" / f"lambda-{given.arch}.zip"
    python = interpreters.find(given.python)
    shutil.rmtree(tree, ignore_errors=True)
    install(tree, given.arch, given.python)
    copy_sources(tree)
    strip(tree)
    if python:
        compile_tree(tree, python)
    size_mib = sum(path.stat().st_size for path in files_of(tree)) / 2**20
    if size_mib > LIMIT_MIB:
        sys.exit(f"error: {size_mib:.0f} MiB unzipped, over the limit of {LIMIT_MIB}")
    pack(tree, out)
    imported = import_handler(tree, python, given.arch)
    report = {
        "zip": str(out.relative_to(ROOT) if out.is_relative_to(ROOT) else out),
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "zip_mib": round(out.stat().st_size / 2**20, 1),
        "unzipped_mib": round(size_mib, 1),
        "python": given.python,
        "arch": given.arch,
        "bytecode": bool(python),
        "handler_imported": imported,
    }
    sys.stdout.write(json.dumps(report) + "\n")


def install(tree: Path, arch: str, version: str) -> None:
    """Install the lock's wheels for Lambda's platform into the tree."""
    machine = PLATFORMS[arch]
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    common = ["--target", str(tree), "--python-version", version, "--only-binary", ":all:", "--no-deps", "--quiet"]
    if uv and not os.environ.get("CABSTAND_PLAIN_PIP"):
        command = [uv, "pip", "install", "--python-platform", f"{machine}-manylinux_2_28", *common]
        # Copies instead of links into uv's cache, because the tree is compiled and stripped in place.
        command += ["--link-mode", "copy"]
    else:
        tags = [f"manylinux_2_{minor}_{machine}" for minor in (28, 27, 26, 24, 17)] + [f"manylinux2014_{machine}"]
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *common]
        command += [word for tag in tags for word in ("--platform", tag)]
    subprocess.run([*command, "--require-hashes", "-r", str(LOCK)], check=True)


def copy_sources(tree: Path) -> None:
    """Copy the service's packages, the handler, and the metadata that names the version."""
    source = ROOT / "src" / "cabstand"
    package = tree / "cabstand"
    package.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(source / name, package / name)
    for name in PACKAGES:
        shutil.copytree(source / name, package / name)
    shutil.copyfile(ROOT / "lambdas" / "api" / "handler.py", tree / "handler.py")
    version = project_version()
    metadata = tree / f"cabstand-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: cabstand\nVersion: {version}\n")


def project_version() -> str:
    """Return the version in pyproject.toml."""
    import tomllib

    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def strip(tree: Path) -> None:
    """Remove tests, stubs, headers and tools; licences stay."""
    for name in STRIPPED:
        shutil.rmtree(tree / name, ignore_errors=True)
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_dir() and path.name in STRIPPED_NAMES:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file() and _is_ballast(path):
            path.unlink()


def _is_ballast(path: Path) -> bool:
    if "license" in str(path).lower():
        return False
    return path.suffix in STRIPPED_SUFFIXES or path.name in {"RECORD", "INSTALLER", "direct_url.json"}


def compile_tree(tree: Path, python: str) -> None:
    """Compile with the target's Python; a fixed hash seed makes the bytecode reproducible."""
    command = [python, "-m", "compileall", "-q", "-f", "-s", str(tree), "-p", "/var/task", str(tree)]
    subprocess.run(
        [*command, "--invalidation-mode", "unchecked-hash"], check=True, env=os.environ | {"PYTHONHASHSEED": "0"}
    )


def files_of(tree: Path) -> list[Path]:
    """Return the tree's files in the order in which they are packed."""
    return sorted(path for path in tree.rglob("*") if path.is_file())


def pack(tree: Path, out: Path) -> None:
    """Write the zip with fixed dates and modes; move it into place once it is complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        part = Path(folder) / "part.zip"
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in files_of(tree):
                member = zipfile.ZipInfo(path.relative_to(tree).as_posix(), EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.create_system = 3
                member.external_attr = (0o755 if path.suffix == ".so" else 0o644) << 16
                archive.writestr(member, path.read_bytes())
        part.replace(out)


def import_handler(tree: Path, python: str | None, arch: str) -> bool:
    """Import the handler from the tree alone, as Lambda will, so that a broken package fails the build."""
    if python is None or platform.machine() != PLATFORMS[arch]:
        sys.stderr.write(f"handler not imported: that Python is not installed, or this machine is not {arch}\n")
        return False
    with tempfile.TemporaryDirectory() as home:
        # -I -S: without this environment's site-packages.
        code = f"import sys; sys.path.insert(0, {str(tree)!r}); import handler; assert callable(handler.handler)"
        env = {"PATH": os.environ["PATH"], "CABSTAND_HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([python, "-I", "-S", "-c", code], check=True, env=env, cwd=home, stdout=subprocess.DEVNULL)
    return True


if __name__ == "__main__":
    main()
