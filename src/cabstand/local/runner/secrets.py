"""The secrets of a task's definition, read with its execution role before it starts."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from cabstand.errors import TaskError
from cabstand.local.runner.roles import TaskRole

_FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed"


def resolve(role: TaskRole | None, secrets: dict[str, str]) -> dict[str, str]:
    """Return the values by name in the environment; TaskError, worded as by AWS, if one cannot be read."""
    if secrets and not role:
        raise TaskError(f"{_FAILED}: the task definition has no execution role")
    assert role or not secrets
    return {name: _value(role, source) for name, source in secrets.items()} if role else {}


def _value(role: TaskRole, source: str) -> str:
    if source.startswith("arn:") and source.split(":")[2] == "secretsmanager":
        return _secret(role, source)
    return _parameter(role, source)


def _secret(role: TaskRole, source: str) -> str:
    """Read `<ARN of the secret>[:JSON key:version stage:version id]`, each of which may be empty."""
    words = source.split(":")
    arn, (key, stage, version) = ":".join(words[:7]), (*words[7:], "", "", "")[:3]
    wanted = {"VersionStage": stage, "VersionId": version}
    try:
        answer = role.service("secretsmanager").get_secret_value(
            SecretId=arn, **{name: value for name, value in wanted.items() if value}
        )
    except ClientError as error:
        raise TaskError(
            f"{_FAILED}: unable to retrieve secret from asm: service call has been retried 1 time(s): "
            f"failed to fetch secret {arn} from secrets manager: {_told(error)}"
        ) from error
    text = str(answer["SecretString"])
    return _field(text, key, arn) if key else text


def _field(text: str, key: str, arn: str) -> str:
    try:
        value: Any = json.loads(text)[key]
    except (ValueError, KeyError, TypeError) as error:
        raise TaskError(
            f"{_FAILED}: unable to retrieve secret from asm: service call has been retried 1 time(s): "
            f"retrieved secret from Secrets Manager did not contain json key {key} in {arn}"
        ) from error
    return value if isinstance(value, str) else json.dumps(value)


def _parameter(role: TaskRole, source: str) -> str:
    name = source.partition(":parameter")[2] or source
    failed = f"{_FAILED}: unable to retrieve secrets from ssm: service call has been retried 1 time(s)"
    try:
        answer = role.service("ssm").get_parameters(Names=[name], WithDecryption=True)
    except ClientError as error:
        raise TaskError(f"{failed}: {_told(error)}") from error
    if not answer["Parameters"]:
        raise TaskError(f"{failed}: invalid ssm parameters: {name}")
    return str(answer["Parameters"][0]["Value"])


def _told(error: ClientError) -> str:
    details = error.response["Error"]
    return f"{details['Code']}: {details['Message']}"
