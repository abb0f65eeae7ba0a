"""One call of a target of a schedule or a rule: ECS, SQS, SNS, Lambda, CloudWatch Logs, or any other AWS call.

Schedules and rules describe their targets in the same form, but only a schedule has universal targets, such as
`arn:aws:scheduler:::aws-sdk:rds:stopDBInstance`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError, UnknownServiceError

from cabstand.errors import CabstandError

Clients = Callable[[str], Any]
Invoke = Callable[[str, str], object]

OVERRIDES = ("containerOverrides", "cpu", "memory", "executionRoleArn", "taskRoleArn", "ephemeralStorage")


@dataclass(frozen=True)
class Call:
    """What a target gets: its text, a token that is the same for each attempt, and who started it."""

    payload: str
    token: str
    started_by: str


class TargetError(CabstandError):
    """A target refuses a call; `code` is AWS's name of the error."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


def call(target: dict[str, Any], what: Call, clients: Clients, invoke: Invoke) -> None:
    """Call a target.

    Parameters
    ----------
    target : dict
        As GetSchedule or ListTargetsByRule answers it.
    what : Call
        The text, the token and the starter.
    clients : callable
        Returns a client with the credentials of the caller, by service name.
    invoke : callable
        Takes the ARN of a function and its event as JSON, and raises a CabstandError or an OSError if it fails.

    Raises
    ------
    TargetError
        The target refuses, or is of an unknown kind.
    """
    service = f"{target['Arn']}::".split(":")[2]
    try:
        if service == "lambda":
            invoke(target["Arn"], what.payload)
        elif service in _SENDERS:
            _SENDERS[service](target, what, clients)
        else:
            raise TargetError("UNSUPPORTED_TARGET", f"{target['Arn']}: the laptop does not call such targets")
    except ClientError as error:
        raise TargetError(error.response["Error"]["Code"], error.response["Error"].get("Message", str(error))) from None
    except KeyError as error:
        raise TargetError("ValidationException", f"the target lacks {error}") from None
    except (ParamValidationError, UnknownServiceError, ValueError) as error:
        raise TargetError("ValidationException", str(error)) from None
    except TargetError:
        raise
    except (CabstandError, OSError) as error:
        raise TargetError("CONNECTION_FAILURE", str(error)) from None


def through_lambda(client: Clients) -> Invoke:
    """Return what calls a function by Lambda's Invoke, asynchronously as AWS's schedulers do."""

    def invoke(function_arn: str, payload: str) -> object:
        return client("lambda").invoke(FunctionName=function_arn, InvocationType="Event", Payload=payload.encode())

    return invoke


def send(clients: Clients, queue_arn: str, body: str, **others: Any) -> None:
    """Send a message to a queue."""
    account, name = queue_arn.split(":")[4:6]
    sqs = clients("sqs")
    # The address is composed: GetQueueUrl would need a permission that a sender does not have.
    sqs.send_message(QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{name}", MessageBody=body, **others)


def _to_queue(target: dict[str, Any], what: Call, clients: Clients) -> None:
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    send(clients, target["Arn"], what.payload, **({"MessageGroupId": group} if group else {}))


def _to_topic(target: dict[str, Any], what: Call, clients: Clients) -> None:
    clients("sns").publish(TopicArn=target["Arn"], Message=what.payload)


def _to_log(target: dict[str, Any], what: Call, clients: Clients) -> None:
    logs, group = clients("logs"), target["Arn"].split(":")[6]
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=what.token)
    line = {"timestamp": int(time.time() * 1000), "message": what.payload}
    logs.put_log_events(logGroupName=group, logStreamName=what.token, logEvents=[line])


def _to_cluster(target: dict[str, Any], what: Call, clients: Clients) -> None:
    parameters: dict[str, Any] = _lower(target["EcsParameters"])
    given = _object(what.payload)
    answer = clients("ecs").run_task(
        cluster=target["Arn"],
        taskDefinition=parameters.pop("taskDefinitionArn"),
        count=parameters.pop("taskCount", 1),
        overrides={key: given[key] for key in OVERRIDES if key in given},
        clientToken=what.token,
        startedBy=what.started_by,
        **{key: value for key, value in parameters.items() if value not in (None, [])},
    )
    for failure in answer["failures"]:
        raise TargetError(failure.get("reason", "UNKNOWN"), failure.get("detail") or "RunTask started no task")


def _lower(value: Any) -> Any:
    """Spell the keys as ECS does: both schedulers write TaskCount where ECS writes taskCount."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower(one) for key, one in value.items()}
    return [_lower(one) for one in value] if isinstance(value, list) else value


def _object(payload: str) -> dict[str, Any]:
    found = json.loads(payload or "{}")
    if not isinstance(found, dict):
        raise ValueError("the input is no JSON object")
    return found


def _to_any(target: dict[str, Any], what: Call, clients: Clients) -> None:
    """Make the call that a universal target names; Scheduler and boto3 differ in the case of letters only."""
    service, action = target["Arn"].split(":")[-2:]
    client = clients(service)
    methods = {api.casefold(): (name, api) for name, api in client.meta.method_to_api_mapping.items()}
    if action.casefold() not in methods:
        raise TargetError("ValidationException", f"{target['Arn']}: there is no such call")
    name, api = methods[action.casefold()]
    shape = client.meta.service_model.operation_model(api).input_shape
    spelled = {member.casefold(): member for member in (shape.members if shape else ())}
    given = _object(what.payload)
    getattr(client, name)(**{spelled.get(key.casefold(), key): value for key, value in given.items()})


_SENDERS = {"sqs": _to_queue, "sns": _to_topic, "logs": _to_log, "ecs": _to_cluster, "scheduler": _to_any}
