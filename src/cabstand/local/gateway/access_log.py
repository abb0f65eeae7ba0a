"""One line of a stage's access log: its format with the $context variables filled in.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping

from cabstand.local.gateway.answer import Answer
from cabstand.local.gateway.definition import Api, Stage
from cabstand.local.gateway.event import Request

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)")


def line(form: str, variables: Mapping[str, str]) -> str:
    """Fill in a format; a variable without a value is `-`, and in a format of JSON its text is escaped."""
    is_json = form.lstrip().startswith("{")

    def value(found: re.Match[str]) -> str:
        text = variables.get(found[1]) or "-"
        return json.dumps(text)[1:-1] if is_json else text

    return _VARIABLE.sub(value, form)


def metrics(request: Request, answer: Answer) -> dict[str, float]:
    """Return what API Gateway measures of a request that has been answered.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    """
    found: dict[str, float] = {
        "Count": 1,
        "4xx": int(400 <= answer.status < 500),
        "5xx": int(answer.status >= 500),
        "Latency": round((time.time() - request.received_s) * 1000),
    }
    return found if answer.integration_ms is None else found | {"IntegrationLatency": round(answer.integration_ms)}


def variables(request: Request, api: Api, stage: Stage, route_key: str, answer: Answer) -> dict[str, str]:
    """Return the $context variables of a request that has been answered."""
    integration_ms = "" if answer.integration_ms is None else str(round(answer.integration_ms))
    return {
        "accountId": api.account,
        "apiId": api.id,
        "dataProcessed": str(len(request.body) + len(answer.body)),
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "error.message": answer.error,
        "error.messageString": json.dumps(answer.error) if answer.error else "",
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity.sourceIp": request.source_ip,
        "identity.userAgent": request.headers.get("user-agent", ""),
        "integration.error": answer.integration_error,
        "integration.latency": integration_ms,
        "integration.status": answer.integration_status,
        "integrationErrorMessage": answer.integration_error,
        "integrationLatency": integration_ms,
        "integrationStatus": answer.integration_status,
        "path": request.path,
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": request.time_text,
        "requestTimeEpoch": str(int(request.received_s)),
        "responseLatency": str(round((time.time() - request.received_s) * 1000)),
        "responseLength": str(len(answer.body)),
        "routeKey": route_key,
        "stage": stage.name,
        "status": str(answer.status),
        **answer.served,
    }
