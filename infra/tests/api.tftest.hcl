mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                     = "cabstand-test"
  package_path             = "tests/package.zip"
  log_level                = "INFO"
  throttle                 = { requests_per_second = 50, burst_requests = 100 }
  domain                   = null
  jwt                      = null
  secret_recovery_days     = 7
  enable_tracing           = false
  tracing_layer_arn        = null
  log_retention_days       = 30
  permissions_boundary_arn = null

  function = {
    runtime              = "python3.13"
    architecture         = "arm64"
    memory_mib           = 1024
    timeout_seconds      = 10
    reserved_concurrency = 20
  }

  storage = {
    artifacts_uri = "s3://cabstand-test-artifacts/serving"
    bucket_names  = { artifacts = "cabstand-test-artifacts" }
    bucket_arns   = { lake = "arn:aws:s3:::cabstand-test-lake" }
    policy_arns   = { for name in ["read-bundles", "log-predictions"] : name => "arn:aws:iam::123456789012:policy/${name}" }
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
    error_message = "concurrency and rate must be limited"
  }

  assert {
    condition     = aws_apigatewayv2_route.default.authorization_type == "NONE" && length(aws_apigatewayv2_domain_name.main) == 0
    error_message = "without domain and jwt there must be neither"
  }

  assert {
    condition     = length(coalesce(aws_lambda_function.api.layers, [])) == 0 && !contains(keys(aws_lambda_function.api.environment[0].variables), "OTEL_EXPORTER_OTLP_ENDPOINT")
    error_message = "without a layer the function must send no spans"
  }
}

run "domain_and_authorizer_by_switch" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    domain            = { name = "api.example.org", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
    jwt               = { issuer = "https://issuer.example.org", audiences = ["cabstand"] }
    enable_tracing    = true
    tracing_layer_arn = "arn:aws:lambda:us-east-1:901920570463:layer:aws-otel-python-arm64-ver-1-32-0:2"

    function = {
      runtime              = "python3.13"
      architecture         = "arm64"
      memory_mib           = 1024
      timeout_seconds      = 10
      reserved_concurrency = 20
    }
  }

  assert {
    condition     = aws_apigatewayv2_route.default.authorization_type == "JWT" && aws_apigatewayv2_api.main.disable_execute_api_endpoint && output.endpoint == "https://api.example.org"
    error_message = "requests must pass the authorizer, and the AWS address must not bypass the domain"
  }

  assert {
    condition     = aws_lambda_function.api.tracing_config[0].mode == "Active"
    error_message = "tracing must be on"
  }

  assert {
    condition     = length(aws_lambda_function.api.layers) == 1 && aws_lambda_function.api.environment[0].variables.OTEL_EXPORTER_OTLP_ENDPOINT == "http://localhost:4318"
    error_message = "the function must send its spans to the layer's collector"
  }
}
