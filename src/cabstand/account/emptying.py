"""Empty what Terraform cannot delete while it holds something: versioned buckets, image repositories, ECS clusters."""

from __future__ import annotations

import logging

from cabstand.account.deployment import Deployment
from cabstand.errors import TaskError
from cabstand.io.aws import call, items

_log = logging.getLogger(__name__)


def buckets(deployment: Deployment) -> list[str]:
    """Return the buckets whose names start with the deployment's."""
    return [name for name in items("s3", "list_buckets", "Buckets[].Name") if name.startswith(f"{deployment.name}-")]


def repositories(prefix: str) -> list[str]:
    """Return the image repositories named `prefix`, `prefix-...` or `prefix/...`."""
    names = items("ecr", "describe_repositories", "repositories[].repositoryName")
    return [name for name in names if name == prefix or name.startswith((f"{prefix}-", f"{prefix}/"))]


def empty_bucket(name: str) -> int:
    """Delete every version, delete marker and unfinished upload, and return how many there were."""
    n_deleted = 0
    # Always the first page, because the marker of the next one may be among the objects just deleted.
    while page := _first_page(name):
        answer = call("s3", "delete_objects", Bucket=name, Delete={"Objects": page, "Quiet": True})
        for error in answer.get("Errors", []):
            raise TaskError(f"cannot delete {error['Key']}: {error.get('Message') or error['Code']}", where=name)
        n_deleted += len(page)
    for upload in list(items("s3", "list_multipart_uploads", "Uploads[]", Bucket=name)):
        call("s3", "abort_multipart_upload", Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
        n_deleted += 1
    _log.info("%s: %d versions, markers and uploads deleted", name, n_deleted)
    return n_deleted


def _first_page(bucket: str) -> list[dict[str, str]]:
    """Return at most 1,000 versions and delete markers, the most that one call may delete."""
    page = call("s3", "list_object_versions", Bucket=bucket, MaxKeys=1000)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found[:1000]]


def empty_repository(name: str) -> int:
    """Delete every image, and return how many there were."""
    # By digest: an image with three tags is one image, and so is one without a tag.
    digests = sorted(set(items("ecr", "list_images", "imageIds[].imageDigest", repositoryName=name)))
    for start in range(0, len(digests), 100):
        batch = [{"imageDigest": digest} for digest in digests[start : start + 100]]
        answer = call("ecr", "batch_delete_image", repositoryName=name, imageIds=batch)
        for failure in answer.get("failures", []):
            raise TaskError(f"cannot delete an image: {failure.get('failureReason')}", where=name)
    return len(digests)


def stop_tasks(deployment: Deployment) -> int:
    """Stop every task in the deployment's cluster, and return how many there were."""
    cluster = deployment.name
    arns = list(items("ecs", "list_tasks", "taskArns[]", missing_ok=True, cluster=cluster))
    for arn in arns:
        call("ecs", "stop_task", task=arn, cluster=cluster, reason="the environment is being destroyed")
    return len(arns)


def unprotect_databases(names: list[str]) -> None:
    """Turn off deletion protection."""
    for name in names:
        call("rds", "modify_db_instance", DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
