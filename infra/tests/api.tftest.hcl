mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name            = "cabstand-test"
  package_path    = "tests/package.zip"
  package_bucket  = "cabstand-test-artifacts"
  artifacts_uri   = "s3://cabstand-test-artifacts/serving"
  lake_bucket_arn = "arn:aws:s3:::cabstand-test-lake"

  policy_arns = {
    read-bundles    = "arn:aws:iam::123456789012:policy/read-bundles"
    log-predictions = "arn:aws:iam::123456789012:policy/log-predictions"
  }
}

run "published_from_a_snapshot_and_throttled" {
  command = plan

  module {
    source = "./modules/api"
  }

  assert {
    condition     = aws_lambda_function.api.publish && aws_lambda_function.api.snap_start[0].apply_on == "PublishedVersions" && aws_lambda_function.api.architectures == tolist(["arm64"])
    error_message = "versions must be published, with SnapStart, on arm64"
  }

  assert {
    condition     = aws_lambda_function.api.reserved_concurrent_executions == 20 && aws_apigatewayv2_stage.default.default_route_settings[0].throttling_burst_limit == 100
    error_message = "the bill must have a cap"
  }

  assert {
    condition     = aws_apigatewayv2_route.default.authorization_type == "NONE" && length(aws_apigatewayv2_domain_name.main) == 0
    error_message = "domain and authorizer are switches"
  }
}

run "domain_and_authorizer_by_switch" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    domain_name     = "api.example.org"
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    jwt_issuer      = "https://issuer.example.org"
    jwt_audiences   = ["cabstand"]
    enable_tracing  = true
    live_version    = "3"
  }

  assert {
    condition     = aws_apigatewayv2_route.default.authorization_type == "JWT" && aws_apigatewayv2_api.main.disable_execute_api_endpoint && output.endpoint == "https://api.example.org"
    error_message = "the authorizer must stand in front, and the given address must not be a way around the domain"
  }

  assert {
    condition     = aws_lambda_alias.live.function_version == "3" && aws_lambda_function.api.tracing_config[0].mode == "Active"
    error_message = "the alias must point where it is told; tracing must be on"
  }
}

run "refuses_what_is_wrong" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    name                         = "x"
    package_path                 = "absent.zip"
    package_bucket               = "X"
    handler                      = "x"
    runtime                      = "x"
    architecture                 = "x"
    memory_mib                   = 1
    timeout_seconds              = 99
    reserved_concurrency         = -2
    live_version                 = "x"
    throttle_requests_per_second = 0
    throttle_burst_requests      = 0
    domain_name                  = "x"
    jwt_issuer                   = "x"
    environment                  = { lower = "x" }
    artifacts_uri                = "x"
    lake_bucket_arn              = "x"
    policy_arns                  = {}
    secret_recovery_days         = 1
    log_retention_days           = 2
    permissions_boundary_arn     = "x"
  }

  expect_failures = [
    var.name, var.package_path, var.package_bucket, var.handler, var.runtime, var.architecture, var.memory_mib, var.timeout_seconds,
    var.reserved_concurrency, var.live_version, var.throttle_requests_per_second, var.throttle_burst_requests, var.domain_name,
    var.jwt_issuer, var.environment, var.artifacts_uri, var.lake_bucket_arn, var.policy_arns,
    var.secret_recovery_days, var.log_retention_days, var.permissions_boundary_arn,
  ]
}

run "domain_and_issuer_need_their_other_half" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    domain_name = "api.example.org"
    jwt_issuer  = "https://issuer.example.org"
  }

  expect_failures = [var.certificate_arn, var.jwt_audiences]
}
