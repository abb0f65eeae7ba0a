# Connects the modules; has no resources of its own.

data "aws_caller_identity" "current" {}

locals {
  name              = "${var.project}-${var.environment}"
  account_id        = data.aws_caller_identity.current.account_id
  metrics_namespace = "${var.project}/${var.environment}"

  # `make destroy` and the budget find resources by these tags.
  tags = {
    Project     = var.project
    Environment = var.environment
    Deployment  = local.name
    ManagedBy   = "terraform"
  }

  boundary_arn = var.enable_permissions_boundary ? "arn:aws:iam::${local.account_id}:policy/${var.project}-boundary" : null
}

module "network" {
  source = "./modules/network"

  name                     = local.name
  cidr_block               = var.vpc_cidr_block
  egress                   = var.egress
  server_instance_type     = var.server_instance_type
  enable_flow_logs         = var.enable_flow_logs
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = local.boundary_arn
}

module "storage" {
  source = "./modules/storage"

  name               = local.name
  enable_access_logs = var.enable_access_logs
  force_destroy      = var.force_destroy_buckets

  retention_days = {
    quarantine   = var.quarantine_retention_days
    predictions  = var.prediction_retention_days
    old_versions = var.old_version_retention_days
  }
}

module "tracking" {
  source = "./modules/tracking"

  name                     = local.name
  network                  = module.network
  storage                  = module.storage
  make_passwords           = var.make_mlflow_passwords
  given_passwords          = var.given_mlflow_passwords
  requirements_path        = "${path.root}/../requirements/mlflow.txt"
  secret_recovery_days     = var.secret_recovery_days
  log_retention_days       = var.log_retention_days
  metrics_namespace        = local.metrics_namespace
  permissions_boundary_arn = local.boundary_arn

  server = {
    instance_type = var.server_instance_type
    disk_gib      = var.server_disk_gib
  }

  database = {
    instance_class        = var.database_instance_class
    disk_gib              = var.database_disk_gib
    multi_az              = var.enable_multi_az
    deletion_protection   = var.enable_deletion_protection
    backup_retention_days = var.backup_retention_days
  }
}

module "batch" {
  source = "./modules/batch"

  name                      = local.name
  network                   = module.network
  storage                   = module.storage
  tracking                  = module.tracking
  log_level                 = var.log_level
  task_settings             = var.task_settings
  multicore_vcpu            = var.multicore_vcpu
  capacity_provider         = var.capacity_provider
  collector_image           = var.tracing_collector_image
  schedules                 = local.schedules
  worker_lifetime_minutes   = var.worker_lifetime_minutes
  enable_container_insights = var.enable_container_insights
  log_retention_days        = var.log_retention_days
  permissions_boundary_arn  = local.boundary_arn

  image = {
    uri            = "${local.account_id}.dkr.ecr.${var.region}.amazonaws.com/${var.project}/batch:${var.batch_image_tag}"
    repository_arn = "arn:aws:ecr:${var.region}:${local.account_id}:repository/${var.project}/batch"
    architecture   = var.batch_architecture
  }

  inputs = {
    clustering = var.clustering_input
    training   = var.training_input
  }

  pipeline = {
    dataset        = var.pipeline_dataset
    months         = var.pipeline_months == null ? [] : var.pipeline_months
    holdout_months = var.pipeline_holdout_months
    newest_months  = var.pipeline_newest_months
    # With endpoints for AWS alone, a task cannot reach the TLC: it takes the months that others put into the lake.
    fetch_months = var.egress != "interface_endpoints"
  }
}

module "api" {
  source = "./modules/api"

  name                     = local.name
  storage                  = module.storage
  package_path             = var.api_package_path
  log_level                = var.log_level
  domain                   = var.api_domain_name == null ? null : { name = var.api_domain_name, certificate_arn = var.api_certificate_arn }
  jwt                      = var.api_jwt_issuer == null ? null : { issuer = var.api_jwt_issuer, audiences = var.api_jwt_audiences }
  secret_recovery_days     = var.secret_recovery_days
  enable_tracing           = var.enable_tracing
  tracing_layer_arn        = var.tracing_layer_arn
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = local.boundary_arn

  function = {
    runtime              = var.api_runtime
    architecture         = var.api_architecture
    memory_mib           = var.api_memory_mib
    timeout_seconds      = var.api_timeout_seconds
    reserved_concurrency = var.api_reserved_concurrency
  }

  throttle = {
    requests_per_second = var.api_throttle_requests_per_second
    burst_requests      = var.api_throttle_burst_requests
  }
}

module "monitoring" {
  source = "./modules/monitoring"

  name               = local.name
  api                = module.api
  batch              = module.batch
  tracking           = module.tracking
  metrics_namespace  = local.metrics_namespace
  alarm_email        = var.alarm_email
  alarm_webhook_url  = var.alarm_webhook_url
  monthly_budget_usd = var.monthly_budget_usd
  budget_by_tag      = var.budget_by_tag
  max_p99_latency_ms = var.max_p99_latency_ms

  monitor_is_scheduled = anytrue([for job in local.schedules : job.enabled && job.task == "monitor"])
}

module "sleep" {
  source = "./modules/sleep"

  name                     = local.name
  schedule_group           = module.batch.schedule_group
  database_id              = module.tracking.database_id
  permissions_boundary_arn = local.boundary_arn
}
