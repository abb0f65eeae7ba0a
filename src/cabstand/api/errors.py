"""Errors as RFC 9457 problem details, and the one table from exception class to status.

An answer never repeats the request, and never the text of an unexpected exception.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from cabstand.api.call import Call
from cabstand.api.responses import Problem
from cabstand.errors import CabstandError, DataError, RegistryError, StorageError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100  # of one row, query or refused batch
MAX_ERRORS_BYTES = 65_536  # of an answer, as JSON

# The first of an exception's classes that is listed decides: status, code, detail.
PROBLEMS: dict[type[Exception], tuple[int, str, str]] = {
    DataError: (422, "invalid-request", "the request cannot be answered"),
    StorageError: (503, "unavailable", "the service cannot answer this now"),
    RegistryError: (503, "unavailable", "the service cannot answer this now"),
    CabstandError: (500, "internal-error", "the service failed"),
    Exception: (500, "internal-error", "the service failed; the request id names it in the log"),
}
HTTP_PROBLEMS = {404: ("not-found", "no such address"), 405: ("method-not-allowed", "not with this method")}


class ApiError(Exception):
    """An error that is answered with a problem, whose `type` ends with `code`.

    Each of `errors` has a `detail`, and a `pointer` (JSON pointer into the body) or the name of a `parameter`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = None if errors is None else fitting(errors[:MAX_ERRORS])
        self.headers = headers

    def response(self, request_id: str) -> Response:
        """Return the problem as a response."""
        problem = Problem(
            type=f"urn:cabstand:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            instance=f"urn:request:{request_id}",
            request_id=request_id,
            errors=self.errors or [],
        )
        body = problem.model_dump_json(exclude=None if self.errors is not None else {"errors"})
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def fitting(errors: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first errors, as many as fit into an answer; the rest is not even computed."""
    kept, room = [], MAX_ERRORS_BYTES
    for one in errors:
        room -= len(to_json(one)) + 1
        if room < 0:
            break
        kept.append(one)
    return kept


def respond(error: Exception, call: Call) -> Response:
    """Return the problem that answers an exception, and log the exception if it is not the caller's fault."""
    if isinstance(error, ApiError):
        return error.response(call.request_id)
    if isinstance(error, HTTPException):
        code, detail = HTTP_PROBLEMS.get(error.status_code, ("error", "the request was refused"))
        return ApiError(error.status_code, code, detail, headers=error.headers).response(call.request_id)
    status, code, detail = next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)
    if status >= 500:  # the error's class and place; never its text, which may quote the request
        frames = [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(error.__traceback__)]
        extra = {"request_id": call.request_id, "trace_id": call.trace_id, "span_id": call.span_id}
        logger.error("request failed: %s", type(error).__name__, extra=extra | {"frames": frames[-8:]})
    return ApiError(status, code, detail).response(call.request_id)


async def handle(request: Request, error: Exception) -> Response:
    """Handle an exception for FastAPI."""
    return respond(error, request.state.call)


HANDLED: tuple[type[Exception], ...] = (ApiError, CabstandError, HTTPException)
