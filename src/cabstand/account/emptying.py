"""Empty what Terraform cannot delete while it holds something: versioned buckets, image repositories, ECS clusters."""

from __future__ import annotations

import logging
from typing import Any

from cabstand.account.deployment import Deployment
from cabstand.errors import TaskError
from cabstand.io.aws import client, items, refusals

_log = logging.getLogger(__name__)


def buckets(deployment: Deployment) -> list[str]:
    """Return the buckets whose names start with the deployment's."""
    with refusals("S3 buckets"):
        names = items("s3", "list_buckets", "Buckets[].Name")
        return [name for name in names if name.startswith(f"{deployment.name}-")]


def repositories(prefix: str) -> list[str]:
    """Return the image repositories named `prefix`, `prefix-...` or `prefix/...`."""
    with refusals("image repositories"):
        names = items("ecr", "describe_repositories", "repositories[].repositoryName")
        return [name for name in names if name == prefix or name.startswith((f"{prefix}-", f"{prefix}/"))]


def empty_bucket(name: str) -> int:
    """Delete every version, delete marker and unfinished upload, and return how many there were.

    Raises
    ------
    TaskError
        If S3 refuses to delete one.
    """
    s3, n_deleted = client("s3"), 0
    with refusals(f"bucket {name}"):
        # Always the first page, because the marker of the next one may be among the objects just deleted.
        while page := _first_page(s3, name):
            answer = s3.delete_objects(Bucket=name, Delete={"Objects": page, "Quiet": True})
            for error in answer.get("Errors", []):
                raise TaskError(f"cannot delete {error['Key']}: {error.get('Message') or error['Code']}", where=name)
            n_deleted += len(page)
        for upload in list(items("s3", "list_multipart_uploads", "Uploads[]", Bucket=name)):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
            n_deleted += 1
    _log.info("%s: %d versions, markers and uploads deleted", name, n_deleted)
    return n_deleted


def _first_page(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Return at most 1,000 versions and delete markers, the most that one call may delete."""
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=1000)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found[:1000]]


def empty_repository(name: str) -> int:
    """Delete every image, and return how many there were."""
    ecr = client("ecr")
    with refusals(f"repository {name}"):
        # By digest: an image with three tags is one image, and so is one without a tag.
        digests = sorted(set(items("ecr", "list_images", "imageIds[].imageDigest", repositoryName=name)))
        for start in range(0, len(digests), 100):
            batch = [{"imageDigest": digest} for digest in digests[start : start + 100]]
            answer = ecr.batch_delete_image(repositoryName=name, imageIds=batch)
            for failure in answer.get("failures", []):
                raise TaskError(f"cannot delete an image: {failure.get('failureReason')}", where=name)
    return len(digests)


def stop_tasks(deployment: Deployment) -> int:
    """Stop every task in the deployment's cluster, and return how many there were."""
    ecs, cluster = client("ecs"), deployment.name
    with refusals(f"cluster {cluster}"):
        try:
            arns = list(items("ecs", "list_tasks", "taskArns[]", cluster=cluster))
        except ecs.exceptions.ClusterNotFoundException:
            return 0
        for arn in arns:
            ecs.stop_task(cluster=cluster, task=arn, reason="the environment is being destroyed")
    return len(arns)


def unprotect_databases(names: list[str]) -> None:
    """Turn off deletion protection."""
    for name in names:
        with refusals(f"database {name}"):
            client("rds").modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
