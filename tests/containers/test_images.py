"""The images that `make test-containers` built: small, not root, read-only, and working."""

from __future__ import annotations

import base64
import json
import os
import platform
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from batch_tasks import commands
from cabstand.local.ports import free_port
from compiling import FIT
from postgres_server import Postgres, running_postgres

pytestmark = pytest.mark.containers
RUN = ["--runtime", "runc", "run", "--rm", "--network=host", "--read-only", "--cap-drop=all"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
# A name that promises a secret with a value, a key of AWS, a password inside an address.
SECRET = re.compile(r"(?i)(password|secret|token|_key)\w*\s*=\s*\S|AKIA[0-9A-Z]{16}|://[^/\s:]+:[^/\s@]+@")
# No network but the emulator's: the pipeline finds no trips, a worker no scheduler.
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:9"}
ADMIN = {"MLFLOW_AUTH_ADMIN_USERNAME": "admin", "MLFLOW_AUTH_ADMIN_PASSWORD": "admin-pass-for-test"}


def podman(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    if not shutil.which("podman"):
        pytest.skip("podman is not installed: run `make test-containers`")
    done = subprocess.run(["podman", *words], capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0 or not check, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def name_of(image: str) -> str:
    name = f"localhost/cabstand-{image}:{os.environ.get('TAG', 'latest')}"
    if podman("image", "exists", name, check=False).returncode:
        pytest.skip(f"{name} is not built: run `make test-containers`")
    return name


def options(environment: dict[str, str]) -> list[str]:
    return [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]


@pytest.mark.parametrize(("image", "limit"), [("batch", 1050e6), ("mlflow", 900e6)])  # Evidently is 170 MB of it
def test_size(image: str, limit: float) -> None:
    size = int(podman("image", "inspect", "--format", "{{.Size}}", name_of(image)).stdout)
    print(f"\n{image}: {size / 1e6:.0f} MB")
    assert size < limit


@pytest.mark.parametrize("image", ["batch", "mlflow"])
def test_not_root_and_read_only(image: str) -> None:
    program = "id -u; id -g; touch /opt/x /etc/x /x 2>/dev/null && echo written; touch /work/x /tmp/x && echo scratch"
    done = podman(*RUN, *LIMITS, "--entrypoint", "sh", name_of(image), "-c", program)
    assert done.stdout.split() == ["10001", "10001", "scratch"]
    config = json.loads(podman("image", "inspect", name_of(image)).stdout)[0]
    assert config["User"] == "10001:10001"
    health = config["Healthcheck"]["Test"]
    assert health[0] in {"CMD", "CMD-SHELL"}
    assert podman(*RUN, *LIMITS, "--entrypoint", "python3", name_of(image), "-m", "pip", check=False).returncode != 0


@pytest.mark.parametrize("image", ["batch", "mlflow"])
def test_no_secret_in_history_environment_or_labels(image: str) -> None:
    history = podman("history", "--no-trunc", "--format", "{{.CreatedBy}}", name_of(image)).stdout
    assert "ENTRYPOINT" in history
    config = json.loads(podman("image", "inspect", name_of(image)).stdout)[0]["Config"]
    for text in (history, *config["Env"], *config["Labels"].values()):
        assert not SECRET.search(text), text
    given = {line.split("=")[0] for line in config["Env"]}
    assert not any(re.search("PASS|SECRET|TOKEN|CREDENTIAL|AWS_", name) for name in given), given


@pytest.mark.parametrize(
    "text", ["ENV DB_PASSWORD=x1", "--build-arg token=abc", "AKIA" + "A" * 16, "https://me:" + "pw@host/simple"]
)
def test_a_secret_would_be_found(text: str) -> None:
    assert SECRET.search(text)


@pytest.mark.parametrize("processor", ["generic", "nehalem" if platform.machine() == "x86_64" else "cortex-a72"])
def test_the_first_clustering_compiles_nothing(processor: str) -> None:
    """Whatever processor numba is told to compile for."""
    options = ("--env", f"NUMBA_CPU_NAME={processor}", "--entrypoint", "python3")
    done = podman(*RUN, *LIMITS, *options, name_of("batch"), "-c", FIT)
    labels, compiled = done.stdout.split()
    assert int(labels) > 0
    assert compiled == "0"


@pytest.mark.parametrize("task", sorted(commands()))
def test_a_task_s_command_works_with_a_read_only_root(task: str, moto_server: str, bucket: str) -> None:
    places = {"CABSTAND_LAKE": f"s3://{bucket}/lake", "CABSTAND_ARTIFACTS": f"s3://{bucket}/artifacts"}
    given = [*RUN, *LIMITS, *options(AWS | places | NOWHERE | {"AWS_ENDPOINT_URL": moto_server})]
    program, *words = commands()[task]
    if "--input" in words:
        trips = synthetic(given, "zones" if task == "train" else "coordinates")
        words = [trips if word.startswith("s3://lake/") else word for word in words]
    done = podman(*given, "--entrypoint", program, name_of("batch"), *words, check=False)
    output = (done.stdout + done.stderr)[-2000:]
    # A worker without a run, and a retraining without a champion, stop with a line; a pipeline without months
    # has nothing to do.
    assert done.returncode in ({1, 2} if task in {"dask-worker", "retrain"} else {0}), output
    assert not re.search("Traceback|Read-only|Permission denied", output), output


def synthetic(given: list[str], era: str) -> str:
    """Write trips into the lake, with the image, and return their URI."""
    made = podman(*given, name_of("batch"), "synth", "--trips", "20000", "--era", era)
    return str(json.loads(made.stdout.splitlines()[-1])["trips_uri"])


def test_a_cluster_job(moto_server: str, bucket: str) -> None:
    given = [*RUN, *LIMITS, *options(AWS | {"AWS_ENDPOINT_URL": moto_server, "CABSTAND_LAKE": f"s3://{bucket}/lake"})]
    trips = synthetic(given, "coordinates")
    assert trips.startswith(f"s3://{bucket}/")
    done = podman(*given, name_of("batch"), "cluster", "--input", trips, "--engine", "multicore", "--no-track")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["n_clusters"] > 0
    assert result["labels_uri"].startswith(f"s3://{bucket}/")


def test_a_window_has_evidently_s_report(moto_server: str, bucket: str) -> None:
    given = [*RUN, *LIMITS, *options(AWS | {"AWS_ENDPOINT_URL": moto_server, "CABSTAND_LAKE": f"s3://{bucket}/lake"})]
    trips = synthetic(given, "zones")
    done = podman(*given, name_of("batch"), "monitor", "--reference", trips, "--current", trips, "--no-track")
    assert json.loads(done.stdout.splitlines()[-1])["evidently_uri"].endswith("/evidently.html")


@contextmanager
def server(environment: dict[str, str], port: int) -> Iterator[None]:
    name = podman(
        *[word for word in RUN if word != "--rm"], *LIMITS, "--detach", *options(environment), name_of("mlflow")
    )
    container = name.stdout.strip()
    try:
        for _ in range(300):
            try:
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200:
                    break
            except OSError:
                time.sleep(1)
        else:
            raise AssertionError(podman("logs", container).stdout)
        yield
    finally:
        podman("rm", "--force", "--time", "5", container)


def get(port: int, path: str, user: str = "") -> tuple[int, bytes]:
    headers = {"authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def environment_of(postgres: Postgres, moto_server: str, bucket: str, port: int) -> dict[str, str]:
    return AWS | ADMIN | {
        "AWS_ENDPOINT_URL": moto_server,
        "MLFLOW_PORT": str(port),
        "MLFLOW_ALLOWED_HOSTS": "127.0.0.1",
        "MLFLOW_ARTIFACTS_URI": f"s3://{bucket}/mlflow",
        "MLFLOW_DB_HOST": postgres.host,
        "MLFLOW_DB_PORT": str(postgres.port),
        "MLFLOW_DB_NAME": "mlflow",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "session-key-for-test",  # pragma: allowlist secret
        "PGPASSWORD": "database-pass-for-test",  # pragma: allowlist secret
        "PGSSLMODE": "disable",
    }  # fmt: skip


def test_the_mlflow_server(moto_server: str, bucket: str) -> None:
    port = free_port()
    with running_postgres() as postgres:
        environment = environment_of(postgres, moto_server, bucket, port)
        master = json.dumps({"username": postgres.user, "password": postgres.password})
        making = [*options(environment | {"MLFLOW_DB_MASTER": master}), "--entrypoint", "python3"]
        podman(*RUN, *LIMITS, *making, name_of("mlflow"), "/opt/cabstand/mlflow_server.py", "database")
        path = "/api/2.0/mlflow/experiments/search?max_results=5"
        for _ in range(2):  # the second one finds what the first one made
            with server(environment, port):
                assert get(port, path)[0] == 401
                assert get(port, path, "admin:admin-pass-for-test")[0] == 200
