"""Terraform's state and its lock, and whether the buckets keep old versions and keep the public out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cabstand.account.deployment import state_bucket
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.io.aws import call

PURPOSES = ("lake", "artifacts", "site")
# A long apply holds the lock for half an hour, most of it for the database.
LONG_HELD = timedelta(hours=1)


def buckets(subject: Subject) -> Iterator[Line]:
    """Look at the bucket of states, and at the environment's own."""
    yield _bucket(_state_bucket(subject), "make bootstrap")
    for purpose in PURPOSES:
        bucket = f"{subject.deployment.name}-{purpose}-{subject.account}"
        yield _bucket(bucket, f"make deploy ENV={subject.deployment.environment}")


def _bucket(bucket: str, creator: str) -> Line:
    versioning = call("s3", "get_bucket_versioning", missing_ok=True, Bucket=bucket)
    if not versioning:
        return Line(bucket, "fail", "no such bucket", f"{creator} creates it")
    if versioning.get("Status") != "Enabled":
        hint = f"{creator}, which turns them on: without old versions a deleted object is lost"
        return Line(bucket, "fail", "keeps no old versions", hint)
    block = call("s3", "get_public_access_block", missing_ok=True, Bucket=bucket)
    settings = block.get("PublicAccessBlockConfiguration", {})
    if len(settings) < 4 or not all(settings.values()):
        return Line(bucket, "fail", "does not block public access", f"{creator}, which turns the block on")
    return Line(bucket, "ok", "keeps old versions, and keeps the public out")


def terraform_state(subject: Subject) -> Iterator[Line]:
    """Look for the environment's state, and for a lock on it."""
    environment, bucket = subject.deployment.environment, _state_bucket(subject)
    key = f"{environment}/terraform.tfstate"
    state = call("s3", "get_object", missing_ok=True, Bucket=bucket, Key=key)
    if not state:
        yield Line("state", "warn", f"no state of {environment}", f"make deploy ENV={environment} makes it")
    else:
        yield Line("state", "ok", f"serial {json.loads(state['Body'].read())['serial']} of {environment}")
    lock = call("s3", "get_object", missing_ok=True, Bucket=bucket, Key=f"{key}.tflock")
    if not lock:
        yield Line("lock", "ok", "nobody holds it")
        return
    held = json.loads(lock["Body"].read())
    age = datetime.now(UTC) - lock["LastModified"]
    found = f"{held.get('Who', '?')} has held it for {age // timedelta(minutes=1)} minutes"
    hint = f"wait for that run; if it is dead: make unlock ENV={environment} LOCK={held.get('ID', '?')}"
    yield Line("lock", "fail" if age > LONG_HELD else "warn", found, hint)


def _state_bucket(subject: Subject) -> str:
    return state_bucket(subject.deployment.project, subject.account)


CHECKS = {"buckets": buckets, "state": terraform_state}
