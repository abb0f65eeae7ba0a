resource "aws_scheduler_schedule_group" "main" {
  name = var.name
}

locals {
  scheduled_commands = {
    for name, schedule in var.schedules : name => schedule.workflow == "" ? schedule.command : concat(
      ["workflow", "run", schedule.workflow, "--scheduled", "<aws.scheduler.scheduled-time>", "--"],
      try(slice(local.tasks[schedule.task].command, 2, length(local.tasks[schedule.task].command)), []),
    )
  }

  # Scheduler replaces what is in angle brackets, which jsonencode would escape. The trace of a run begins with the id of its firing.
  scheduled_inputs = {
    for name, command in local.scheduled_commands : name => replace(replace(jsonencode({
      containerOverrides = [merge(length(command) > 0 ? { command = command } : {}, {
        name        = "task"
        environment = [{ name = "CABSTAND_EVENT_ID", value = "<aws.scheduler.execution-id>" }]
      })]
    }), "\\u003c", "<"), "\\u003e", ">")
  }
}

resource "aws_scheduler_schedule" "main" {
  # checkov:skip=CKV_AWS_297: a schedule holds a command line, nothing secret; a customer key costs 1 USD a month.
  for_each = var.schedules

  name        = "${var.name}-${each.key}"
  description = each.value.description
  group_name  = aws_scheduler_schedule_group.main.name
  state       = each.value.enabled ? "ENABLED" : "DISABLED"

  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.timezone

  flexible_time_window {
    mode                      = each.value.window_minutes > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = each.value.window_minutes > 0 ? each.value.window_minutes : null
  }

  target {
    arn      = aws_ecs_cluster.main.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = local.scheduled_inputs[each.key]

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.main[each.value.task].arn
      task_count          = 1

      # The budget counts a task by its tags.
      propagate_tags          = "TASK_DEFINITION"
      enable_ecs_managed_tags = true

      capacity_provider_strategy {
        capacity_provider = coalesce(each.value.capacity_provider, var.capacity_provider)
        weight            = 1
      }

      network_configuration {
        subnets          = var.network.task_subnet_ids
        security_groups  = [var.network.task_security_group_id]
        assign_public_ip = var.network.tasks_have_public_ip
      }
    }

    retry_policy {
      maximum_retry_attempts       = each.value.max_retries
      maximum_event_age_in_seconds = each.value.max_age_seconds
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
  }

  lifecycle {
    precondition {
      condition     = contains(local.schedulable_tasks, each.value.task)
      error_message = "Schedule ${each.key} names the task ${each.value.task}; a schedule may start ${join(", ", local.schedulable_tasks)}."
    }

    precondition {
      condition     = each.value.max_retries >= 0 && each.value.max_retries <= 185 && each.value.max_age_seconds >= 60 && each.value.max_age_seconds <= 86400
      error_message = "Schedule ${each.key}: max_retries must be 0 to 185, and max_age_seconds 60 to 86400."
    }
  }
}
