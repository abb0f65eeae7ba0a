"""Each call to the emulator is judged by its caller's role before moto sees it, and denied as AWS denies it.

The key `emulator` may do everything, as an account's root user. Sessions of roles, which AssumeRole and
AssumeRoleWithWebIdentity give, may do what their policies allow.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel
from moto.core.request import determine_request_protocol
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server import threaded_moto_server
from moto.sts.models import AssumedRole

from cabstand.local.permissions import call as calls
from cabstand.local.permissions.call import Call
from cabstand.local.permissions.judge import Verdict, judge, lines

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
# Paths of moto itself and of the metadata service, which no key signs.
_OPEN = ("/moto-api", "/latest/", "/favicon.ico")
_CURRENT: ContextVar[Call] = ContextVar("call")


def enforce(record: Path | None = None) -> None:
    """Put `Enforcement` before the application of every server of moto that this process starts from now on."""
    stock = threaded_moto_server.DomainDispatcherApplication
    threaded_moto_server.DomainDispatcherApplication = lambda *args: Enforcement(stock(*args), record)
    _keep_session_tags()
    warnings.filterwarnings("ignore", message=r"Exception\(_Refusal\)")  # codes that AWS has, and its models lack


class Enforcement:
    """A WSGI application in front of moto's.

    `record` is a file that gets one line of JSON for each distinct role, action, resource and answer.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], record: Path | None = None) -> None:
        self._application = application
        self._record = record
        self._recorded: set[str] = set()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request: with moto's answer, or with an error of its service."""
        if environ.get("PATH_INFO", "").startswith(_OPEN):
            return self._application(environ, start_response)
        call = calls.read(environ)
        if call is None:
            return _answer(
                start_response, 403, {"Content-Type": "text/plain"}, b"MissingAuthenticationToken: sign the request"
            )
        # moto reads its dictionaries while other threads change them: now and then a call failed with 500, or created
        # something before it failed, so that a retry found it there. ReceiveMessage waits for other calls.
        with nullcontext() if call.operation == "ReceiveMessage" else self._turn:
            verdict = judge(call)
            self._write(verdict, call)
            if verdict.code:
                return _refuse(start_response, verdict, call, environ.get("CONTENT_TYPE"))
            _CURRENT.set(call)
            return self._application(environ, start_response)

    def _write(self, verdict: Verdict, call: Call) -> None:
        if self._record is None:
            return
        texts = [json.dumps(line) for line in lines(verdict, call)]
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._recorded]
            self._recorded.update(new)
            if new:
                with self._record.open("a", encoding="utf-8") as file:
                    file.writelines(f"{text}\n" for text in new)


class _Refusal(Exception):  # noqa: N818 - a name that moto's serializers show nowhere
    """What moto's serializers make an error's body from."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


# Codes of refusals by protocol, and by service where one differs. JSON services answer 400, all others 403.
_DENIED = {"ec2": "UnauthorizedOperation", "json": "AccessDeniedException", "rest-json": "AccessDeniedException"}
_DENIED_BY = {"cloudwatch": "AccessDenied", "sns": "AuthorizationError", "sqs": "AccessDenied"}
_UNKNOWN = {"ec2": "AuthFailure", "json": "UnrecognizedClientException", "rest-json": "UnrecognizedClientException"}
_UNKNOWN_BY = {"s3": "InvalidAccessKeyId", "cloudwatch": "InvalidClientTokenId"}


def _refuse(start_response: StartResponse, verdict: Verdict, call: Call, content_type: str | None) -> Iterable[bytes]:
    """Answer with an error in the form that the call's service has."""
    try:
        model = get_service_model(call.service)
    except UnknownServiceError:
        return _answer(start_response, 403, {"Content-Type": "text/plain"}, verdict.message.encode())
    protocol = determine_request_protocol(model, content_type)
    by_protocol, by_service = {
        "AccessDenied": (_DENIED, _DENIED_BY),
        "InvalidClientTokenId": (_UNKNOWN, _UNKNOWN_BY),
    }.get(verdict.code, ({}, {}))
    code = by_service.get(call.service) or by_protocol.get(protocol, verdict.code)
    operation = model.operation_model(call.operation) if call.operation else OperationModel({}, model)
    serializer = get_serializer_class(call.service, protocol)(operation_model=operation, pretty_print=False)
    answer = serializer.serialize(_Refusal(code, verdict.message))
    body = answer["body"]
    status = 400 if protocol == "json" else 403
    return _answer(start_response, status, dict(answer["headers"]), body.encode() if isinstance(body, str) else body)


def _answer(start_response: StartResponse, status: int, headers: dict[str, str], body: bytes) -> Iterable[bytes]:
    headers |= {"Content-Length": str(len(body))}
    start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
    return [body]


def _keep_session_tags() -> None:
    """Let moto's sessions keep the tags that AssumeRole gives them."""
    stock = AssumedRole.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        call = _CURRENT.get(None)
        self.tags = list(call.params.get("Tags") or []) if call else []

    AssumedRole.__init__ = init
