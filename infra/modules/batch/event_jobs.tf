# Jobs that an event of the project starts, for example a retraining after a drift report.
resource "aws_cloudwatch_event_rule" "job" {
  for_each = var.event_jobs

  name        = "${var.name}-${each.key}"
  description = each.value.description
  state       = each.value.enabled ? "ENABLED" : "DISABLED"

  event_pattern = jsonencode(merge(
    { source = [each.value.source], "detail-type" = [each.value.detail_type] },
    length(each.value.detail) > 0 ? { detail = each.value.detail } : {},
  ))
}

resource "aws_cloudwatch_event_target" "job" {
  for_each = var.event_jobs

  rule     = aws_cloudwatch_event_rule.job[each.key].name
  arn      = aws_ecs_cluster.main.arn
  role_arn = aws_iam_role.scheduler.arn
  input    = length(each.value.command) > 0 ? jsonencode({ containerOverrides = [{ name = "task", command = each.value.command }] }) : jsonencode({})

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.main[each.value.task].arn
    task_count          = 1

    capacity_provider_strategy {
      capacity_provider = var.capacity_provider
      weight            = 1
    }

    network_configuration {
      subnets          = var.subnet_ids
      security_groups  = [var.security_group_id]
      assign_public_ip = var.assign_public_ip
    }
  }

  retry_policy {
    maximum_retry_attempts       = 2
    maximum_event_age_in_seconds = 21600
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}
