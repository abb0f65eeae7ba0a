# A mock provider has no ephemeral resources (Terraform 1.11), so this uses the real one without an account: it only plans, every
# data source that would call AWS is overridden, and the passwords are given.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test" # pragma: allowlist secret
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current

  values = {
    account_id = "123456789012"
  }
}

override_data {
  target = data.aws_ecr_repository.batch

  values = {
    most_recent_image_tags = ["v1"]
  }
}

override_data {
  target = module.storage.data.aws_caller_identity.current

  values = {
    account_id = "123456789012"
  }
}

override_data {
  target = module.batch.data.aws_caller_identity.current

  values = {
    account_id = "123456789012"
  }
}

override_data {
  target = module.api.data.aws_caller_identity.current

  values = {
    account_id = "123456789012"
  }
}

override_data {
  target = module.monitoring.data.aws_caller_identity.current

  values = {
    account_id = "123456789012"
  }
}

override_data {
  target = module.sleep.data.aws_caller_identity.current

  values = {
    account_id = "123456789012"
  }
}

override_data {
  target = module.network.data.aws_availability_zones.available

  values = {
    names = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
}

override_data {
  target = module.network.data.aws_ec2_instance_type_offerings.server

  values = {
    locations = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
}

override_data {
  target = module.tracking.data.aws_ssm_parameter.server_image

  values = {
    insecure_value = "ami-0123456789abcdef0"
  }
}

variables {
  make_mlflow_passwords  = false
  given_mlflow_passwords = { admin = "password-of-this-test-only", session = "password-of-this-test-only", tasks = "password-of-this-test-only" } # pragma: allowlist secret

  environment      = "test"
  batch_image_tag  = "v1"
  api_package_path = "tests/package.zip"
}

run "without_an_image_no_schedule_starts" {
  command = plan

  override_data {
    target = data.aws_ecr_repository.batch

    values = {
      most_recent_image_tags = []
    }
  }

  expect_failures = [check.batch_image]

  assert {
    condition     = alltrue([for job in values(local.schedules) : !job.enabled])
    error_message = "no schedule may start a task whose image is not there"
  }
}

run "with_an_image_every_schedule_starts" {
  command = plan

  assert {
    condition     = alltrue([for job in values(local.schedules) : job.enabled])
    error_message = "the schedules are on by default"
  }
}

run "names_follow_the_environment_and_schedules_the_list" {
  command = plan

  variables {
    enable_schedules   = false
    schedule_overrides = { daily-comparison = { expression = "rate(1 day)" } }
  }

  assert {
    condition     = alltrue([for job in values(local.schedules) : !job.enabled])
    error_message = "enable_schedules must switch every job off"
  }

  assert {
    condition     = local.schedules["daily-comparison"].expression == "rate(1 day)" && local.schedules["weekly-sweep"].expression == "cron(0 5 ? * SUN *)"
    error_message = "an override must change its own job alone"
  }

  assert {
    condition     = alltrue([for job in values(local.schedules) : can(regex(local.schedule_pattern, job.expression)) && contains(local.time_zones, job.timezone)])
    error_message = "EventBridge Scheduler must accept every schedule of workflows.yaml"
  }

  assert {
    condition     = output.alarm_names["api-errors"] == "cabstand-test-api-errors"
    error_message = "names must start with project and environment"
  }

  assert {
    condition     = local.tags.Deployment == "cabstand-test" && local.boundary_arn == "arn:aws:iam::123456789012:policy/cabstand-boundary"
    error_message = "tags and the boundary must follow project, environment and account"
  }

  assert {
    condition = alltrue([
      for expression in [
        "cron(0 6 * * ? *)", "cron(0 5 ? * SUN *)", "cron(0/15 8-17 ? JAN-MAR,7 MON-FRI 2027-2030)", "cron(5,35 */2 L * ? *)", "cron(0 9 LW * ? *)",
        "cron(0 9 15W * ? *)", "cron(0 9 L-3 * ? *)", "cron(0 9 ? * 2#1 *)", "cron(0 9 ? * FRIL *)", "cron(59 23 31 12 ? 2199)", "rate(1 hour)",
        "rate(5 minutes)", "rate(1 hours)", "at(2027-02-28T23:59:59)",
      ] : can(regex(local.schedule_pattern, expression))
    ])
    error_message = "an expression that AWS accepts is refused"
  }

  assert {
    condition = alltrue([
      for expression in [
        "daily", "cron(nonsense)", "cron(0 6 * * * *)", "cron(0 6 ? * ? *)", "cron(0 6 1 * MON *)", "cron(0 6 * * ?)", "cron(60 6 * * ? *)", "cron(0 24 * * ? *)",
        "cron(0 6 32 * ? *)", "cron(0 6 * 13 ? *)", "cron(0 6 ? * 8 *)", "cron(0 6 ? * 0 *)", "cron(0 6 ? * MON#6 *)", "cron(0 6 * * ? 1969)", "cron(0 6 * * ? *) ",
        "rate(0 days)", "rate(-1 days)", "rate(1.5 hours)", "rate(5 weeks)", "at(2027-13-01T00:00:00)", "at(2027-01-01)", "at(2027-01-01T24:00:00)",
      ] : !can(regex(local.schedule_pattern, expression))
    ])
    error_message = "an expression that AWS refuses is accepted"
  }
}

run "every_variable_refuses_what_is_wrong" {
  command = plan

  variables {
    project                          = "Cab Stand"
    environment                      = "x"
    region                           = "mars"
    account_id                       = "12"
    emulator_endpoint                = "http://example.org:80"
    log_level                        = "LOUD"
    log_retention_days               = 8
    vpc_cidr_block                   = "10.0.0.0/28"
    egress                           = "carrier_pigeon"
    quarantine_retention_days        = 0
    prediction_retention_days        = 1.5
    old_version_retention_days       = -1
    given_mlflow_passwords           = {}
    server_instance_type             = "t3.small"
    server_disk_gib                  = 2
    database_instance_class          = "t4g.micro"
    database_disk_gib                = 5
    backup_retention_days            = 0
    secret_recovery_days             = 3
    batch_image_tag                  = "latest"
    batch_architecture               = "SPARC"
    multicore_vcpu                   = 3
    capacity_provider                = "EC2"
    clustering_input                 = "s3://elsewhere/x.parquet"
    pipeline_dataset                 = "purple"
    pipeline_newest_months           = 1
    pipeline_months                  = []
    pipeline_holdout_months          = ["2023-13"]
    training_input                   = "../x.parquet"
    tracing_layer_arn                = "arn:aws:lambda:us-east-1:1:layer:x"
    worker_lifetime_minutes          = 1
    task_settings                    = { HOME = "/" }
    schedule_timezone                = "Mars/Olympus"
    schedule_overrides               = { hourly-nothing = {} }
    api_package_path                 = "tests/absent.zip"
    api_runtime                      = "python3.9"
    api_architecture                 = "mips"
    api_memory_mib                   = 64
    api_timeout_seconds              = 60
    api_reserved_concurrency         = 0
    api_domain_name                  = "not a host"
    api_jwt_issuer                   = "http://plain.example.org"
    api_throttle_requests_per_second = 0
    api_throttle_burst_requests      = 0
    alarm_email                      = "nobody"
    alarm_webhook_url                = "http://plain.example.org"
    monthly_budget_usd               = 0
    max_p99_latency_ms               = 1
  }

  expect_failures = [
    var.project, var.environment, var.region, var.account_id, var.emulator_endpoint, var.log_level, var.log_retention_days,
    var.vpc_cidr_block, var.egress, var.quarantine_retention_days, var.prediction_retention_days, var.old_version_retention_days,
    var.given_mlflow_passwords, var.server_instance_type, var.server_disk_gib, var.database_instance_class, var.database_disk_gib, var.backup_retention_days,
    var.secret_recovery_days, var.batch_image_tag, var.batch_architecture, var.multicore_vcpu, var.capacity_provider,
    var.clustering_input, var.training_input, var.pipeline_dataset, var.pipeline_newest_months, var.pipeline_months, var.pipeline_holdout_months, var.worker_lifetime_minutes, var.task_settings, var.schedule_timezone, var.schedule_overrides,
    var.api_package_path, var.api_runtime, var.api_architecture, var.api_memory_mib, var.api_timeout_seconds,
    var.api_reserved_concurrency, var.api_domain_name, var.api_jwt_issuer,
    var.api_throttle_requests_per_second, var.api_throttle_burst_requests, var.alarm_email,
    var.tracing_layer_arn, var.alarm_webhook_url, var.monthly_budget_usd, var.max_p99_latency_ms,
  ]
}

run "halves_and_unknown_expressions_are_refused" {
  command = plan

  variables {
    api_domain_name         = "api.example.org"
    api_jwt_issuer          = "https://issuer.example.org"
    schedule_overrides      = { daily-comparison = { expression = "cron(nonsense)" } }
    tracing_collector_image = "collector:latest"
  }

  expect_failures = [var.api_certificate_arn, var.api_jwt_audiences, var.schedule_overrides, var.tracing_collector_image]
}

run "an_override_needs_a_time_zone_that_scheduler_knows" {
  command = plan

  variables {
    schedule_overrides = { daily-comparison = { timezone = "America/Gotham" } }
  }

  expect_failures = [var.schedule_overrides]
}
