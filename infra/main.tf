# Wires the modules; no resource of its own.

data "aws_caller_identity" "current" {}

locals {
  name              = "${var.project}-${var.environment}"
  account_id        = data.aws_caller_identity.current.account_id
  metrics_namespace = "${var.project}/${var.environment}"

  # The teardown's sweep and the budget find everything by these.
  tags = {
    Project     = var.project
    Environment = var.environment
    Deployment  = local.name
    ManagedBy   = "terraform"
  }

  boundary_arn = var.enable_permissions_boundary ? "arn:aws:iam::${local.account_id}:policy/${var.project}-boundary" : null

  # What every task and the function know; the names are those of cabstand's settings.
  common_environment = {
    CABSTAND_LOG_LEVEL         = var.log_level
    CABSTAND_MLFLOW_EXPERIMENT = local.name
  }
}

module "network" {
  source = "./modules/network"

  name                     = local.name
  cidr_block               = var.vpc_cidr_block
  egress                   = var.egress
  enable_flow_logs         = var.enable_flow_logs
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = local.boundary_arn
}

module "storage" {
  source = "./modules/storage"

  name                       = local.name
  enable_access_logs         = var.enable_access_logs
  quarantine_retention_days  = var.quarantine_retention_days
  prediction_retention_days  = var.prediction_retention_days
  old_version_retention_days = var.old_version_retention_days
  force_destroy              = var.force_destroy_buckets
}

module "tracking" {
  source = "./modules/tracking"

  name                       = local.name
  vpc_id                     = module.network.vpc_id
  server_subnet_id           = module.network.server_subnet_id
  server_subnet_cidr         = module.network.server_subnet_cidr
  database_subnet_ids        = module.network.isolated_subnet_ids
  client_security_group_id   = module.network.task_security_group_id
  files_uri                  = module.storage.mlflow_files_uri
  setup_bucket               = module.storage.bucket_names["artifacts"]
  make_passwords             = var.make_mlflow_passwords
  given_passwords            = var.given_mlflow_passwords
  requirements_path          = "${path.root}/../requirements/mlflow.txt"
  server_instance_type       = var.server_instance_type
  server_disk_gib            = var.server_disk_gib
  database_instance_class    = var.database_instance_class
  database_disk_gib          = var.database_disk_gib
  enable_multi_az            = var.enable_multi_az
  enable_deletion_protection = var.enable_deletion_protection
  backup_retention_days      = var.backup_retention_days
  secret_recovery_days       = var.secret_recovery_days
  log_retention_days         = var.log_retention_days
  metrics_namespace          = local.metrics_namespace
  permissions_boundary_arn   = local.boundary_arn

  policy_arns = {
    mlflow-files = module.storage.policy_arns["mlflow-files"]
    read-setup   = module.storage.policy_arns["read-setup"]
  }
}

module "batch" {
  source = "./modules/batch"

  name                      = local.name
  image_uri                 = "${local.account_id}.dkr.ecr.${var.region}.amazonaws.com/${var.project}/batch:${var.batch_image_tag}"
  repository_arn            = "arn:aws:ecr:${var.region}:${local.account_id}:repository/${var.project}/batch"
  architecture              = var.batch_architecture
  multicore_vcpu            = var.multicore_vcpu
  capacity_provider         = var.capacity_provider
  subnet_ids                = module.network.task_subnet_ids
  security_group_id         = module.network.task_security_group_id
  assign_public_ip          = module.network.tasks_have_public_ip
  lake_uri                  = module.storage.lake_uri
  clustering_input          = var.clustering_input
  training_input            = var.training_input
  pipeline_dataset          = var.pipeline_dataset
  pipeline_months           = var.pipeline_months
  pipeline_holdout_months   = var.pipeline_holdout_months
  policy_arns               = { for name in ["read-lake", "write-lake", "write-bundles", "write-site"] : name => module.storage.policy_arns[name] }
  tracking_secret_arn       = module.tracking.tasks_secret_arn
  use_tracking_policy_arn   = module.tracking.use_tracking_policy_arn
  schedules                 = local.schedules
  event_jobs                = local.event_jobs
  worker_lifetime_minutes   = var.worker_lifetime_minutes
  enable_container_insights = var.enable_container_insights
  log_retention_days        = var.log_retention_days
  permissions_boundary_arn  = local.boundary_arn

  environment = merge(local.common_environment, {
    CABSTAND_ARTIFACTS           = module.storage.artifacts_uri
    CABSTAND_MLFLOW_TRACKING_URI = module.tracking.tracking_uri
  })
}

module "api" {
  source = "./modules/api"

  name                         = local.name
  package_path                 = var.api_package_path
  package_bucket               = module.storage.bucket_names["artifacts"]
  runtime                      = var.api_runtime
  architecture                 = var.api_architecture
  memory_mib                   = var.api_memory_mib
  timeout_seconds              = var.api_timeout_seconds
  reserved_concurrency         = var.api_reserved_concurrency
  live_version                 = var.api_live_version
  throttle_requests_per_second = var.api_throttle_requests_per_second
  throttle_burst_requests      = var.api_throttle_burst_requests
  domain_name                  = var.api_domain_name
  certificate_arn              = var.api_certificate_arn
  jwt_issuer                   = var.api_jwt_issuer
  jwt_audiences                = var.api_jwt_audiences
  environment                  = { CABSTAND_LOG_LEVEL = var.log_level }
  artifacts_uri                = module.storage.artifacts_uri
  lake_bucket_arn              = module.storage.bucket_arns["lake"]
  policy_arns                  = { for name in ["read-bundles", "log-predictions"] : name => module.storage.policy_arns[name] }
  secret_recovery_days         = var.secret_recovery_days
  enable_tracing               = var.enable_tracing
  log_retention_days           = var.log_retention_days
  permissions_boundary_arn     = local.boundary_arn
}

module "monitoring" {
  source = "./modules/monitoring"

  name                   = local.name
  metrics_namespace      = local.metrics_namespace
  alarm_email            = var.alarm_email
  alarm_webhook_url      = var.alarm_webhook_url
  monthly_budget_usd     = var.monthly_budget_usd
  max_p99_latency_ms     = var.max_p99_latency_ms
  task_log_groups        = module.batch.task_log_groups
  function_name          = module.api.function_name
  function_log_group     = module.api.function_log_group
  api_id                 = module.api.api_id
  dead_letter_queue_name = module.batch.dead_letter_queue_name
  server_id              = module.tracking.server_id
  database_id            = module.tracking.database_id
}

module "sleep" {
  source = "./modules/sleep"

  name                     = local.name
  schedule_group           = module.batch.schedule_group
  database_id              = module.tracking.database_id
  permissions_boundary_arn = local.boundary_arn
}
