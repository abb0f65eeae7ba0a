output "cluster_name" {
  description = "ECS cluster."
  value       = aws_ecs_cluster.main.name
}

output "task_names" {
  description = "Names of the task definitions."
  value       = keys(local.tasks)
}

output "task_definition_arns" {
  description = "Current task definition by name: cluster-sequential, cluster-multicore, compare, sweep, train, pipeline, monitor, retrain, dask-worker."
  value       = { for name, task in aws_ecs_task_definition.main : name => task.arn }
}

output "task_log_groups" {
  description = "Log group by task."
  value       = { for name, group in aws_cloudwatch_log_group.task : name => group.name }
}

output "schedule_group" {
  description = "Schedule group, for `make sleep` and `make wake`."
  value       = aws_scheduler_schedule_group.main.name
}

output "dead_letter_queue_name" {
  description = "Queue of jobs that could not be started."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letter_queue_arn" {
  description = "ARN of that queue, for rules of other modules."
  value       = aws_sqs_queue.dead_letters.arn
}

output "event_bus_name" {
  description = "Bus of the monitor's and the retraining's events."
  value       = aws_cloudwatch_event_bus.main.name
}

output "dead_letter_queue_url" {
  description = "URL of that queue."
  value       = aws_sqs_queue.dead_letters.url
}
