"""Images are checked, pushed by architecture, joined and signed; stand-ins of the tools record it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = {
    # What is in the registry is a line of `pushed`; an image is what `docker save` writes.
    "docker": """
case "$*" in
  info) ;;
  "image inspect"*) echo "${ARCHITECTURE:-amd64}" ;;
  save*) echo image > "$3" ;;
  tag*) ;;
  push*) echo "$2" >> pushed ;;
  "buildx imagetools create"*) echo "$5" >> pushed ;;
  "buildx imagetools inspect"*) ref="${@: -1}"; grep -qxF "$ref" pushed || exit 1; echo "sha256:of-${ref##*:}" ;;
  login*) cat > /dev/null ;;
esac""",
    "syft": 'for word in "$@"; do case "$word" in spdx-json=*) echo {} > "${word#*=}" ;; esac; done',
    "grype": 'exit "${VULNERABLE:-0}"',
    "cosign": "",
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/publish-images", tmp_path / "scripts")
    for name, body in TOOLS.items():
        tool(tmp_path, name, body)
    (tmp_path / "pushed").touch()

    def step(name: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
            "TAG": "c0ffee",
            "REGISTRIES": "ghcr.example/us ecr.example/cabstand",
        }
        line = [str(tmp_path / "scripts/publish-images"), name]
        done = subprocess.run(line, env=given | env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return step


def tool(folder: Path, name: str, body: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    file = folder / "bin" / name
    file.write_text(f'#!/bin/bash\necho "{name} $*" >> calls\n{body}\n')
    file.chmod(0o755)


def calls(folder: Path, start: str) -> list[str]:
    return [line for line in (folder / "calls").read_text().splitlines() if line.startswith(start)]


def test_each_image_has_an_sbom_which_is_scanned(run: Run, tmp_path: Path) -> None:
    run("check")
    written = sorted(file.name for file in (tmp_path / "build/sbom").iterdir())
    assert written == ["batch-amd64.spdx.json", "mlflow-amd64.spdx.json"]
    assert [line.split()[2] for line in calls(tmp_path, "grype")] == [f"sbom:build/sbom/{name}" for name in written]
    assert all("--fail-on critical" in line for line in calls(tmp_path, "grype"))


def test_a_critical_vulnerability_stops_before_the_push(run: Run) -> None:
    run("check", code=2, VULNERABLE="2")


def test_both_architectures_are_pushed_joined_and_signed(run: Run, tmp_path: Path) -> None:
    for architecture in ("amd64", "arm64"):
        run("check", ARCHITECTURE=architecture)
        run("push", ARCHITECTURE=architecture)
    run("index")
    names = [
        f"{registry}/{image}"
        for image in ("batch", "mlflow")
        for registry in ("ghcr.example/us", "ecr.example/cabstand")
    ]
    tags = [f"{name}:c0ffee{end}" for name in names for end in ("", "-amd64", "-arm64")]
    assert sorted((tmp_path / "pushed").read_text().split()) == sorted(tags)
    assert calls(tmp_path, "cosign sign") == [
        f"cosign sign --yes --recursive {name}@sha256:of-c0ffee" for name in names
    ]
    attested = [re.search(r"predicate (\S+) (\S+)", line) for line in calls(tmp_path, "cosign attest")]
    assert len(attested) == 8
    for one in attested:
        assert one
        assert (tmp_path / one[1]).is_file()
        assert one[1].removesuffix(".spdx.json")[-5:] == one[2][-5:], "the SBOM of this architecture"


def test_what_was_pushed_is_not_pushed_again(run: Run, tmp_path: Path) -> None:
    run("push")
    run("push", ARCHITECTURE="arm64")
    run("check")
    run("index")
    before = (tmp_path / "pushed").read_text()
    assert "exists" in run("push").stdout
    run("index")
    assert (tmp_path / "pushed").read_text() == before


@pytest.mark.parametrize(("step", "missing"), [("check", "grype"), ("index", "cosign")])
def test_a_missing_tool_is_one_line(run: Run, tmp_path: Path, step: str, missing: str) -> None:
    (tmp_path / "bin" / missing).unlink()
    [line] = run(step, code=1).stderr.splitlines()
    assert line == f"publish-images: {missing} is not installed"


def test_without_a_registry_nothing_is_pushed(run: Run, tmp_path: Path) -> None:
    assert "no registry" in run("push", code=1, REGISTRIES="").stderr
    assert not calls(tmp_path, "docker push")


def test_github_s_registry_is_named_in_lower_case(run: Run, tmp_path: Path) -> None:
    given = {
        "GITHUB_TOKEN": "t",
        "GITHUB_ACTOR": "me",
        "GITHUB_REPOSITORY": "Owner/Cabstand",
    }  # pragma: allowlist secret
    run("push", REGISTRIES="", **given)
    assert calls(tmp_path, "docker push")[0] == "docker push ghcr.io/owner/cabstand/batch:c0ffee-amd64"
