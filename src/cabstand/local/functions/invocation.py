"""What an invocation answers, and the refusals of Lambda's Invoke."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cabstand.errors import TaskError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: of a synchronous request, and of its answer.
MOST_BYTES = 6_291_556


class RefusedError(TaskError):
    """Lambda does not invoke the function; `code` is AWS's name of the error, `status` its HTTP status."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message, where=code)
        self.code, self.status = code, status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, self.status, self.what)


def not_found(arn: str) -> RefusedError:
    """Return the refusal of an unknown function, version or alias."""
    return RefusedError("ResourceNotFoundException", 404, f"Function not found: {arn}")


def throttled() -> RefusedError:
    """Return the refusal of an invocation over the function's reserved concurrency."""
    return RefusedError("TooManyRequestsException", 429, "Rate Exceeded.")


def too_large(n_bytes: int) -> RefusedError:
    """Return the refusal of a payload over the limit."""
    message = f"{n_bytes} byte payload is too large for the RequestResponse invocation type (limit {MOST_BYTES} bytes)"
    return RefusedError("RequestTooLargeException", 413, message)


@dataclass(frozen=True)
class Invocation:
    """The answer of a function: its payload, or what Lambda says about its error."""

    version: str
    payload: bytes
    error: str | None = None  # X-Amz-Function-Error
    timed_out: bool = False

    @property
    def error_message(self) -> str:
        """What the error's payload says; empty without an error."""
        try:
            return str(json.loads(self.payload).get("errorMessage", "")) if self.error else ""
        except (ValueError, AttributeError):
            return self.payload.decode(errors="replace")


def failure(version: str, kind: str, message: str, *, timed_out: bool = False) -> Invocation:
    """Return the answer of Lambda for a function that did not answer by itself."""
    payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return Invocation(version, payload, "Unhandled", timed_out)


def read(version: str, status: int, body: bytes, request_id: str) -> Invocation:
    """Read what the runtime emulator answers.

    It answers 200 to a time-out, with a text that is no JSON, and to an exception, whose JSON names the request; only a
    process that ended has another status.
    """
    if status == 200 and body.startswith(b"Task timed out after "):
        message = f"RequestId: {request_id} Error: {body.decode()}"
        return failure(version, "Sandbox.Timedout", message, timed_out=True)
    if status != 200 or _is_exception(body, request_id):
        return Invocation(version, body, "Unhandled")
    return Invocation(version, body)


def _is_exception(body: bytes, request_id: str) -> bool:
    if b'"errorType"' not in body or request_id.encode() not in body:
        return False
    value: Any = json.loads(body)
    return isinstance(value, dict) and value.get("requestId") == request_id and "errorMessage" in value
