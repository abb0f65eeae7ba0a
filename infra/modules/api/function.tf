data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  function_name = "${var.name}-api"
}

resource "aws_lambda_function" "api" {
  # checkov:skip=CKV_AWS_116: it is called by API Gateway and answers; there is no event that could be lost.
  # checkov:skip=CKV_AWS_117: it needs nothing inside the VPC; a VPC would add cold-start time and a NAT gateway.
  # checkov:skip=CKV_AWS_173: the environment holds addresses and ARNs; Lambda encrypts it with its own key.
  # checkov:skip=CKV_AWS_272: the zip comes from our own versioned bucket by its version; signing profiles guard foreign uploads.
  # checkov:skip=CKV_AWS_50: tracing is a switch (enable_tracing) because it bills per trace.
  function_name = local.function_name
  description   = "Trip duration, hotspots and other problems over HTTPS."
  role          = aws_iam_role.function.arn

  s3_bucket         = aws_s3_object.package.bucket
  s3_key            = aws_s3_object.package.key
  s3_object_version = aws_s3_object.package.version_id
  source_code_hash  = filebase64sha256(var.package_path)

  handler                        = "handler.handler"
  runtime                        = var.function.runtime
  architectures                  = [var.function.architecture]
  memory_size                    = var.function.memory_mib
  timeout                        = var.function.timeout_seconds
  reserved_concurrent_executions = var.function.reserved_concurrency
  publish                        = true

  snap_start {
    apply_on = "PublishedVersions"
  }

  layers = var.tracing_layer_arn == null ? [] : [var.tracing_layer_arn]

  environment {
    # The layer's collector listens there; it sends what it gets to X-Ray.
    variables = merge(var.tracing_layer_arn == null ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT = "http://localhost:4318" }, {
      CABSTAND_API_KEYS_SECRET = aws_secretsmanager_secret.keys.arn
      CABSTAND_ARTIFACTS       = var.storage.artifacts_uri
      CABSTAND_HOME            = "/tmp/cabstand"
      CABSTAND_LOG_JSON        = "true"
      CABSTAND_LOG_LEVEL       = var.log_level
      OMP_NUM_THREADS          = "1"
    })
  }

  tracing_config {
    mode = var.enable_tracing ? "Active" : "PassThrough"
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# The alias that the gateway calls. Terraform makes it, at the first version; from then on `cabstand deploy` moves it, step by step.
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.api.function_name
  function_version = aws_lambda_function.api.version

  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

resource "aws_cloudwatch_log_group" "function" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts with its own key; a customer key costs 1 USD a month and hides nothing more here.
  # checkov:skip=CKV_AWS_338: the retention is a variable; predictions last in the lake.
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
}
