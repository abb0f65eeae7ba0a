"""Errors as RFC 9457 problem details, and the one table from exception to status.

Nothing of the request's content and no text of an unexpected exception goes into an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from cabstand.errors import CabstandError, ConfigError, DataError, RegistryError, StorageError, TaskError

if TYPE_CHECKING:
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100

STATUS: dict[type[CabstandError], int] = {
    DataError: 422,
    ConfigError: 500,
    StorageError: 503,
    RegistryError: 503,
    TaskError: 500,
    CabstandError: 500,
}


class ApiError(Exception):
    """An answer that is a problem.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        Short name, the last part of the problem's `type`.
    detail : str
        What the caller should know.
    errors : list, optional
        One entry a wrong field: `pointer` (JSON pointer into the body) and `detail`.
    headers : mapping, optional
        More response headers.
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
        self.errors = errors
        self.headers = dict(headers or {})

    def response(self, request_id: str) -> Response:
        """Return the problem as a response."""
        from starlette.responses import Response  # which a start without an error need not wait for

        content: dict[str, Any] = {
            "type": f"urn:cabstand:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:request:{request_id}",
            "request_id": request_id,
        }
        if self.errors is not None:
            content["errors"] = self.errors
        return Response(to_json(content), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def translate(error: Exception) -> ApiError:
    """Return the problem that stands for any exception; what is not expected says nothing of itself."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, DataError):
        return ApiError(422, "invalid-request", error.what)
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            word = "unavailable" if status == 503 else "internal-error"
            return ApiError(
                status, word, "the service cannot answer this now" if status == 503 else "the service failed"
            )
    return ApiError(500, "internal-error", "the service failed; the request id names it in the log")
