"""Images are pushed once, for the processor of the tasks, and never under a tag that moves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cabstand.io import aws

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def push(
    moto_server: str, folder: Path, tag: str, built: str = "amd64", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `scripts/push-images` with an engine that logs its arguments and builds for one architecture."""
    engine = folder / "engine"
    engine.write_text(
        f'#!/bin/sh\ncat >/dev/null\necho "$@" >> {folder}/log\n'
        f'case "$*" in *.Architecture*) echo {built} ;; *) echo 1000000 ;; esac\n'
    )
    engine.chmod(0o755)
    env = os.environ | {
        "ENGINE": str(engine),
        "TAG": tag,
        "AWS_ENDPOINT_URL": moto_server,
        "BIN": str(Path(sys.executable).parent),
        **more,
    }
    return subprocess.run(
        [ROOT / "scripts/push-images"], env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_images_are_pushed_once(bucket: str, moto_server: str, tmp_path: Path) -> None:
    aws.client.cache_clear()
    ecr = aws.client("ecr")
    for image in ("batch", "mlflow"):
        ecr.create_repository(repositoryName=f"cabstand/{image}", imageTagMutability="IMMUTABLE")
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "sha256:" + "0" * 64}, "layers": []}
    )
    ecr.put_image(repositoryName="cabstand/batch", imageManifest=manifest, imageTag="abc")
    done = push(moto_server, tmp_path, "abc")
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "log").read_text().splitlines()
    assert "cabstand/batch:abc exists" in done.stdout
    assert not any("batch" in line for line in log)
    registry = f"{aws.client('sts').get_caller_identity()['Account']}.dkr.ecr.us-east-1.amazonaws.com"
    assert log[-1] == f"push {registry}/cabstand/mlflow:abc"
    assert f"login --username AWS --password-stdin {registry}" in log
    assert any(line.startswith("build --platform linux/amd64") for line in log), "for the tasks, not for this machine"
    ecr.put_image(repositoryName="cabstand/mlflow", imageManifest=manifest, imageTag="abc")
    (tmp_path / "log").unlink()
    assert push(moto_server, tmp_path, "abc").returncode == 0
    assert not (tmp_path / "log").exists()
    aws.client.cache_clear()


def test_an_image_for_another_processor_is_not_pushed(bucket: str, moto_server: str, tmp_path: Path) -> None:
    aws.client.cache_clear()
    ecr = aws.client("ecr")
    known = {one["repositoryName"] for one in ecr.describe_repositories()["repositories"]}
    for name in {"cabstand/batch", "cabstand/mlflow"} - known:
        ecr.create_repository(repositoryName=name)
    done = push(moto_server, tmp_path, "abd", PLATFORM="linux/arm64")
    assert done.returncode == 1
    assert "built for linux/amd64, not linux/arm64" in done.stderr
    assert not any(line.startswith("push") for line in (tmp_path / "log").read_text().splitlines())
    assert push(moto_server, tmp_path, "abd", built="arm64", PLATFORM="linux/arm64").returncode == 0
    aws.client.cache_clear()


def test_a_tag_that_moves_is_refused(moto_server: str, tmp_path: Path) -> None:
    done = push(moto_server, tmp_path, "latest")
    assert done.returncode == 2
    assert "latest" in done.stderr
