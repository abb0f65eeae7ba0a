output "endpoint" {
  description = "Address of the prediction service."
  value       = module.api.endpoint
}

output "domain_target" {
  description = "Target of the DNS record of api_domain_name; null without a domain."
  value       = module.api.domain_target
}

output "buckets" {
  description = "Bucket name by purpose."
  value       = module.storage.bucket_names
}

output "lake_uri" {
  description = "Lake, for CABSTAND_LAKE."
  value       = module.storage.lake_uri
}

output "artifacts_uri" {
  description = "Serving bundles and pointers, for CABSTAND_ARTIFACTS."
  value       = module.storage.artifacts_uri
}

output "site_uri" {
  description = "Results site, for CABSTAND_SITE."
  value       = module.storage.site_uri
}

output "keys_secret_arn" {
  description = "Secret with the hashes of the API keys."
  value       = module.api.keys_secret_arn
}

output "function_name" {
  description = "Lambda function of the service; its alias is `live`."
  value       = module.api.function_name
}

output "function_version" {
  description = "Newest published version of the function."
  value       = module.api.function_version
}

output "mlflow" {
  description = "Tracking server: address in the VPC, instance, port, database, secret of its administrator."
  value = {
    uri               = module.tracking.tracking_uri
    server_id         = module.tracking.server_id
    port              = module.tracking.server_port
    database_id       = module.tracking.database_id
    server_secret_arn = module.tracking.server_secret_arn
  }
}

output "batch" {
  description = "What is needed to start a task by hand: cluster, task definitions, subnets, security group; also schedule group and dead-letter queue."
  value = {
    cluster_name         = module.batch.cluster_name
    task_definition_arns = module.batch.task_definition_arns
    subnet_ids           = module.network.task_subnet_ids
    security_group_id    = module.network.task_security_group_id
    assign_public_ip     = module.network.tasks_have_public_ip
    schedule_group       = module.batch.schedule_group
    dead_letter_queue    = module.batch.dead_letter_queue_url
  }
}

output "schedules" {
  description = "What the schedules start, and when."
  value       = { for name, job in local.schedules : name => { task = job.task, expression = job.expression, timezone = job.timezone, enabled = job.enabled } }
}

output "alarm_names" {
  description = "Name of each alarm, by what it watches."
  value       = module.monitoring.alarm_names
}

output "dashboard_name" {
  description = "CloudWatch dashboard."
  value       = module.monitoring.dashboard_name
}
