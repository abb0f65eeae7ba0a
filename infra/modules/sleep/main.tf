# RDS starts a stopped database after seven days. While the environment is asleep, this schedule stops it again every hour.
# `make sleep` enables it and `make wake` disables it, so Terraform ignores its state.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  database_arn = "arn:aws:rds:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:db:${var.database_id}"
}

resource "aws_scheduler_schedule" "stay_asleep" {
  # checkov:skip=CKV_AWS_297: a schedule holds the database's name, nothing secret; a customer key costs 1 USD a month.
  name        = "${var.name}-stay-asleep"
  description = "Stops the database that RDS has started by itself; on while the environment sleeps."
  group_name  = var.schedule_group
  state       = "DISABLED"

  schedule_expression = "rate(1 hours)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance"
    role_arn = aws_iam_role.stay_asleep.arn
    # EventBridge Scheduler spells this as the SDK does, not as RDS's API does.
    input = jsonencode({ DbInstanceIdentifier = var.database_id })

    # Usually the database is stopped already and the call fails: it must be neither repeated nor kept as a dead letter.
    retry_policy {
      maximum_retry_attempts = 0
    }
  }

  lifecycle {
    ignore_changes = [state]
  }
}
