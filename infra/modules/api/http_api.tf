resource "aws_apigatewayv2_api" "main" {
  name          = local.function_name
  description   = "The prediction service."
  protocol_type = "HTTP"

  # With a custom domain, the address that AWS assigns would bypass it.
  disable_execute_api_endpoint = var.domain != null
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                 = aws_apigatewayv2_api.main.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = (var.function.timeout_seconds + 1) * 1000
}

# The service itself checks keys; with an issuer, a JWT authorizer checks a token first.
resource "aws_apigatewayv2_route" "default" {
  # checkov:skip=CKV_AWS_309: the service checks an API key on every route but health; the JWT authorizer is a switch (api_jwt_issuer).
  api_id             = aws_apigatewayv2_api.main.id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = var.jwt == null ? "NONE" : "JWT"
  authorizer_id      = var.jwt == null ? null : aws_apigatewayv2_authorizer.jwt[0].id
}

resource "aws_apigatewayv2_route" "health" {
  # checkov:skip=CKV_AWS_309: health checks have no token.
  api_id    = aws_apigatewayv2_api.main.id
  route_key = "GET /healthz"
  target    = "integrations/${aws_apigatewayv2_integration.function.id}"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.jwt == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.main.id
  name             = "${local.function_name}-jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audiences
  }
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.main.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.throttle.requests_per_second
    throttling_burst_limit   = var.throttle.burst_requests
    detailed_metrics_enabled = false
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.requests.arn
    format = jsonencode({
      time              = "$context.requestTime"
      request_id        = "$context.requestId"
      route             = "$context.routeKey"
      status            = "$context.status"
      latency_ms        = "$context.responseLatency"
      function_ms       = "$context.integrationLatency"
      response_bytes    = "$context.responseLength"
      error             = "$context.error.message"
      integration_error = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_group" "requests" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts with its own key; a customer key costs 1 USD a month and hides nothing more here.
  # checkov:skip=CKV_AWS_338: the retention is a variable.
  name              = "/aws/vendedlogs/${local.function_name}/requests"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_permission" "gateway" {
  statement_id  = "AllowHttpApi"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.api.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.main.execution_arn}/*/*"
}
