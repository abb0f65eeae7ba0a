"""Empty what Terraform cannot delete while something is in it: versioned buckets, image repositories, task clusters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from cabstand.account.resources import Scope
from cabstand.errors import TaskError
from cabstand.io.aws import client, refusals

_log = logging.getLogger(__name__)


def buckets(scope: Scope) -> list[str]:
    """Return the buckets that the environment's name begins."""
    with refusals("S3 buckets"):
        names = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    return [name for name in names if name.startswith(f"{scope.name}-")]


def repositories(prefix: str) -> list[str]:
    """Return the image repositories named `prefix`, or below it with a dash or a slash."""
    with refusals("image repositories"):
        pages = client("ecr").get_paginator("describe_repositories").paginate()
        names = [repository["repositoryName"] for page in pages for repository in page["repositories"]]
    return [name for name in names if name == prefix or name.startswith((f"{prefix}-", f"{prefix}/"))]


def empty_bucket(name: str) -> int:
    """Delete every version, delete marker and unfinished upload, and return how many there were.

    Raises
    ------
    TaskError
        If S3 refuses to delete one.
    """
    s3, deleted = client("s3"), 0
    with refusals(f"bucket {name}"):
        # The first page again and again: a page's marker may be among what was deleted.
        while page := _page(s3, name):
            deleted += _delete(s3, name, page)
        for upload in list(_uploads(s3, name)):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
            deleted += 1
    _log.info("%s: %d versions, markers and uploads deleted", name, deleted)
    return deleted


def _page(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Return at most a thousand versions and delete markers, which is what one call may delete."""
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=1000)
    there = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in there[:1000]]


def _delete(s3: Any, bucket: str, items: list[dict[str, str]]) -> int:
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": items, "Quiet": True})
    for error in answer.get("Errors", []):
        raise TaskError(f"cannot delete {error['Key']}: {error.get('Message') or error['Code']}", where=bucket)
    return len(items)


def _uploads(s3: Any, bucket: str) -> Iterator[dict[str, str]]:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        yield from page.get("Uploads", [])


def empty_repository(name: str) -> int:
    """Delete every image, and return how many there were."""
    ecr, deleted = client("ecr"), 0
    with refusals(f"repository {name}"):
        pages = ecr.get_paginator("list_images").paginate(repositoryName=name)
        images = [image for page in pages for image in page["imageIds"]]
        # By digest: an image with three tags is one image, and one without a tag is one too.
        digests = sorted({image["imageDigest"] for image in images if image.get("imageDigest")})
        for start in range(0, len(digests), 100):
            batch = [{"imageDigest": digest} for digest in digests[start : start + 100]]
            answer = ecr.batch_delete_image(repositoryName=name, imageIds=batch)
            for failure in answer.get("failures", []):
                raise TaskError(f"cannot delete an image: {failure.get('failureReason')}", where=name)
            deleted += len(batch)
    return deleted


def stop_tasks(scope: Scope) -> int:
    """Stop every task in the environment's cluster, and return how many there were."""
    ecs, stopped = client("ecs"), 0
    with refusals(f"cluster {scope.name}"):
        try:
            pages = ecs.get_paginator("list_tasks").paginate(cluster=scope.name)
            arns = [arn for page in pages for arn in page["taskArns"]]
        except ecs.exceptions.ClusterNotFoundException:
            return 0
        for arn in arns:
            ecs.stop_task(cluster=scope.name, task=arn, reason="the environment is being removed")
            stopped += 1
    return stopped


def unprotect_databases(names: list[str]) -> None:
    """Switch off the protection that keeps a database from being deleted."""
    for name in names:
        with refusals(f"database {name}"):
            client("rds").modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
