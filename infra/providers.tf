locals {
  on_emulator = var.emulator_endpoint != null

  # An emulator answers for all services at one address.
  emulated_services = toset(local.on_emulator ? [var.emulator_endpoint] : [])
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  # For AWS itself all of these are null or false: credentials come from the usual places.
  skip_metadata_api_check = local.on_emulator ? "true" : null
  skip_region_validation  = local.on_emulator
  s3_use_path_style       = local.on_emulator
  max_retries             = local.on_emulator ? 2 : null

  default_tags {
    tags = local.tags
  }

  dynamic "endpoints" {
    for_each = local.emulated_services

    content {
      apigatewayv2   = endpoints.value
      budgets        = endpoints.value
      cloudwatch     = endpoints.value
      cloudwatchlogs = endpoints.value
      ec2            = endpoints.value
      ecr            = endpoints.value
      ecs            = endpoints.value
      eventbridge    = endpoints.value
      firehose       = endpoints.value
      iam            = endpoints.value
      lambda         = endpoints.value
      rds            = endpoints.value
      s3             = endpoints.value
      scheduler      = endpoints.value
      secretsmanager = endpoints.value
      sns            = endpoints.value
      sqs            = endpoints.value
      ssm            = endpoints.value
      sts            = endpoints.value
    }
  }
}
