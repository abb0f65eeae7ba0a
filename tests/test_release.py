"""The steps of a release: if the new version fails, the alias goes back to the version before it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cabstand.errors import TaskError
from cabstand.io import aws

ROOT = Path(__file__).resolve().parents[1]
FUNCTION = "cabstand-dev-api"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts/release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "MAX_WAIT_S", 0.0)
    monkeypatch.setattr(module, "saved_version", lambda name: tmp_path / f"build/{name}.json")
    return module


@pytest.fixture
def functions(bucket: str, moto_server: str) -> Any:
    """The account's functions, with one of three versions."""
    aws.client.cache_clear()
    found = aws.client("lambda")
    role = aws.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    publish(found, FUNCTION, role, 3)
    yield found
    found.delete_function(FunctionName=FUNCTION)
    aws.client("iam").delete_role(RoleName="function")
    aws.client.cache_clear()


def publish(functions: Any, name: str, role: str, versions: int) -> None:
    """Create a function with several versions."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as packed:
        packed.writestr("handler.py", "")
    functions.create_function(
        FunctionName=name, Role=role, Runtime="python3.13", Handler="handler.x", Code={"ZipFile": code.getvalue()}
    )
    for number in range(versions):
        functions.update_function_configuration(FunctionName=name, Description=str(number))
        functions.publish_version(FunctionName=name)


def live(functions: Any) -> str:
    return str(functions.get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"])


def test_undo_points_back_to_the_version_before(release: ModuleType, functions: Any) -> None:
    functions.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2")
    assert "version 2" in release.begin("dev")
    weights = {"AdditionalVersionWeights": {"1": 0.1}}
    functions.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="3", RoutingConfig=weights)
    for _ in range(2):  # a second time changes nothing
        assert "version 2 again" in release.undo("dev")
        assert live(functions) == "2"
        routing = functions.get_alias(FunctionName=FUNCTION, Name="live").get("RoutingConfig") or {}
        assert not routing.get("AdditionalVersionWeights")


def test_a_first_release_has_nothing_to_go_back_to(release: ModuleType, functions: Any) -> None:
    assert "nothing to undo" in release.undo("dev")
    assert "does not exist yet" in release.begin("dev")
    functions.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="1")
    assert "nothing to go back to" in release.undo("dev")
    assert live(functions) == "1"


def test_check_requires_life_readiness_and_a_refusal(release: ModuleType, httpserver: HTTPServer) -> None:
    url = httpserver.url_for("").rstrip("/")
    with pytest.raises(TaskError, match="answers 500, not 200"):
        release.check_service(url)
    httpserver.clear_log()
    httpserver.expect_request("/healthz").respond_with_json({})
    with pytest.raises(TaskError, match="readyz"):
        release.check_service(url)
    httpserver.expect_request("/readyz").respond_with_json({})
    with pytest.raises(TaskError, match="predict"):
        release.check_service(url)
    httpserver.expect_request("/v1/trip-duration/predict", method="POST").respond_with_json({}, status=401)
    assert "ready and refuses" in release.check_service(url)


def test_a_service_without_a_model_is_reported(release: ModuleType, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/healthz").respond_with_json({})
    httpserver.expect_request("/readyz").respond_with_json({}, status=503)
    assert "no model is published yet" in release.check_service(httpserver.url_for("").rstrip("/"))


def test_old_versions_are_deleted(release: ModuleType, functions: Any) -> None:
    # Another function, left to the end of the emulator: moto 5.2.5 cannot delete one that has lost a version.
    name = "cabstand-prod-api"
    publish(functions, name, functions.get_function(FunctionName=FUNCTION)["Configuration"]["Role"], 6)
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig=weights)
    assert "deleted 2 old versions, kept 2, 3, 5, 6" in release.prune("prod")
    found = functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [one["Version"] for one in found] == ["$LATEST", "2", "3", "5", "6"]
    assert "deleted 0" in release.prune("prod")


def test_no_service_is_reported(release: ModuleType) -> None:
    with pytest.raises(TaskError, match="answers nothing"):
        release.check_service("http://127.0.0.1:9")


@pytest.mark.parametrize("words", [["begin"], ["dance", "dev"], ["begin", "nowhere"]])
def test_wrong_arguments_print_the_usage(release: ModuleType, words: list[str], capsys: Any) -> None:
    assert release.main(words) == 2
    assert "begin | check | undo | prune" in capsys.readouterr().err


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
