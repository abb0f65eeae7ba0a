# The loop: the monitor says on a bus that a model should be trained anew, and a rule starts the task that does it.
#
# The bus is the environment's own. It costs the same as the default bus (events are billed, buses are free), keeps dev's events from
# prod's rules, and leaves the tasks that may write to it no way to an account's other rules.
resource "aws_cloudwatch_event_bus" "main" {
  name = var.name
}

resource "aws_cloudwatch_event_rule" "retraining" {
  name           = "${var.name}-retraining"
  description    = "The monitor wants a model trained anew."
  event_bus_name = aws_cloudwatch_event_bus.main.name

  # A missing part would be filled in as an empty text, so an event without one is no such event.
  event_pattern = jsonencode({
    source      = ["cabstand.monitor"]
    detail-type = ["Retraining wanted"]
    detail      = { problem = [{ exists = true }], key = [{ exists = true }] }
  })
}

locals {
  # The task's own command, without the entry point.
  retraining_words = join(", ", [for word in slice(local.tasks.retrain.command, 1, length(local.tasks.retrain.command)) : jsonencode(word)])
}

# EventBridge delivers at least once. The key makes a second delivery harmless: the task finds in the ledger that it has been dealt with.
resource "aws_cloudwatch_event_target" "retraining" {
  rule           = aws_cloudwatch_event_rule.retraining.name
  event_bus_name = aws_cloudwatch_event_bus.main.name
  target_id      = "retrain"
  arn            = aws_ecs_cluster.main.arn
  role_arn       = aws_iam_role.retraining_rule.arn

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.main["retrain"].arn
    task_count          = 1

    propagate_tags          = "TASK_DEFINITION"
    enable_ecs_managed_tags = true

    capacity_provider_strategy {
      capacity_provider = var.capacity_provider
      weight            = 1
    }

    network_configuration {
      subnets          = var.network.task_subnet_ids
      security_groups  = [var.network.task_security_group_id]
      assign_public_ip = var.network.tasks_have_public_ip
    }
  }

  # No jsonencode: it would escape the angle brackets. Without quotes of its own, a value comes as JSON, so none can end its string.
  input_transformer {
    input_paths    = { problem = "$.detail.problem", key = "$.detail.key", event = "$.id" }
    input_template = "{\"containerOverrides\": [{\"name\": \"task\", \"command\": [${local.retraining_words}, \"--problem\", <problem>, \"--key\", <key>], \"environment\": [{\"name\": \"CABSTAND_EVENT_ID\", \"value\": <event>}]}]}"
  }

  # As long as a schedule's, and with as many attempts as fit: while other tasks use up the quota of vCPUs, it waits.
  retry_policy {
    maximum_retry_attempts       = 185
    maximum_event_age_in_seconds = 21600
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}
