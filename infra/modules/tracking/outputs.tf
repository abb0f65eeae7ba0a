output "tracking_uri" {
  description = "MLflow's address inside the VPC, for MLFLOW_TRACKING_URI."
  value       = local.tracking_uri
}

output "server_id" {
  description = "EC2 instance of the server, for the SSM tunnel."
  value       = aws_instance.server.id
}

output "server_port" {
  description = "Port that MLflow listens on."
  value       = local.port
}

output "database_id" {
  description = "RDS identifier of the database."
  value       = aws_db_instance.main.identifier
}

output "server_secret_arn" {
  description = "Secret with MLflow's administrator."
  value       = aws_secretsmanager_secret.server.arn
}

output "tasks_secret_arn" {
  description = "Secret with the MLflow user of the tasks."
  value       = aws_secretsmanager_secret.tasks.arn
}

output "use_tracking_policy_arn" {
  description = "Policy that lets a role log in to MLflow as the tasks do."
  value       = aws_iam_policy.use_tracking.arn
}
