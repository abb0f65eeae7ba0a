"""The laptop's runner with the batch image: tasks in containers end, and are reported, as on ECS."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

import ecs_cluster
from cabstand.local.runner import container
from ecs_cluster import Cluster, result_of, running

pytestmark = pytest.mark.containers
IMAGE = f"localhost/cabstand-batch:{os.environ.get('TAG', 'latest')}"
PYTHON = ["python3", "-c"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if container.engine(IMAGE) is None:
        pytest.skip(f"{IMAGE} is not built: run `make test-containers`")
    with ecs_cluster.emulator() as url:
        aws = ecs_cluster.clients(url)
        with running(aws, tmp_path_factory.mktemp("runner"), image=IMAGE):
            yield Cluster(aws)


def why(task: dict[str, Any]) -> tuple[Any, ...]:
    (found,) = task["containers"]
    return task["stopCode"], task["stoppedReason"], found.get("exitCode"), found.get("reason")


def test_a_job_writes_to_the_lake(cluster: Cluster) -> None:
    cluster.aws("s3").create_bucket(Bucket="lake")
    environment = [{"name": "CABSTAND_LAKE", "value": "s3://lake"}]
    arn = cluster.start(
        cluster.define(memory=2048, environment=environment, **cluster.logged()), ["synth", "--trips", "500"]
    )
    assert why(cluster.ended(arn, 120))[2] == 0, cluster.lines(arn)
    assert result_of(cluster.lines(arn))["rows_in"] == 500


def test_what_a_task_is_given(cluster: Cluster) -> None:
    program = "import os; open('/tmp/x', 'w'); open(os.environ['HOME'] + '/x', 'w'); "
    program += "print(os.getuid(), len(os.sched_getaffinity(0)))"
    pairs = [{"name": "HOME", "value": "/work"}, {"name": "NAME", "value": "two\nlines"}]
    family = cluster.define(cpu=1024, entryPoint=PYTHON, environment=pairs, **cluster.logged())
    arn = cluster.start(family, [f"{program}; print(os.environ['HOME'], os.environ['NAME'])"])
    assert why(cluster.ended(arn))[2] == 0, cluster.lines(arn)
    assert cluster.lines(arn) == ["10001 1", "/work two", "lines"]


def test_out_of_memory(cluster: Cluster) -> None:
    arn = cluster.start(cluster.define(memory=128, entryPoint=PYTHON, **cluster.logged()), ["x = bytearray(300 << 20)"])
    reason = "OutOfMemoryError: Container killed due to memory usage"
    assert why(cluster.ended(arn)) == ("EssentialContainerExited", "Essential container in task exited", 137, reason)


def test_stopped(cluster: Cluster) -> None:
    program = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
time.sleep(600)
"""
    family = cluster.define(entryPoint=PYTHON, stopTimeout=2, **cluster.logged())
    careful = cluster.up(family, [program])
    deaf = cluster.up(family, [program.replace("lambda *_: sys.exit(7)", "signal.SIG_IGN")])
    for arn, code in ((careful, 7), (deaf, 137)):
        cluster.stop(arn, "enough")
        assert why(cluster.ended(arn)) == ("UserInitiated", "enough", code, None)


def test_the_container_of_a_killed_runner_is_removed(cluster: Cluster) -> None:
    arn = cluster.up(
        cluster.define(entryPoint=PYTHON, **cluster.logged()), ["import time; print('up', flush=True); time.sleep(600)"]
    )
    identity = arn.rpartition("/")[2]
    program = container.engine(IMAGE) or ""
    container.remove(identity, program)
    assert cluster.ended(arn)["containers"][0]["exitCode"] == 137
    listed = subprocess.run(
        [program, "ps", "--all", "--quiet", "--filter", f"name={container.name(identity)}"],
        capture_output=True,
        check=True,
    )
    assert listed.stdout == b""


def test_a_tag_that_was_not_pushed_cannot_be_pulled(cluster: Cluster) -> None:
    ecr = cluster.aws("ecr")
    ecr.create_repository(repositoryName="cabstand/batch")
    kind, config = "application/vnd.oci.image.", {"digest": f"sha256:{'0' * 64}"}
    manifest = {"schemaVersion": 2, "mediaType": f"{kind}manifest.v1+json", "config": config, "layers": []}
    ecr.put_image(repositoryName="cabstand/batch", imageManifest=json.dumps(manifest), imageTag="other")
    task = cluster.ended(cluster.start(cluster.define(**cluster.logged())))
    assert why(task)[0] == "TaskFailedToStart"
    assert why(task)[1].startswith("CannotPullContainerError: ")
    ecr.delete_repository(repositoryName="cabstand/batch", force=True)
