# Starts the task `retrain`, and no other.
resource "aws_iam_role" "retraining_rule" {
  name                 = "${var.name}-retraining-rule"
  description          = "EventBridge starting a retraining."
  assume_role_policy   = data.aws_iam_policy_document.retraining_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "retraining_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.retraining.arn]
    }
  }
}

resource "aws_iam_role_policy" "retraining_rule" {
  name   = "start-retraining"
  role   = aws_iam_role.retraining_rule.id
  policy = data.aws_iam_policy_document.retraining_rule.json
}

data "aws_iam_policy_document" "retraining_rule" {
  statement {
    sid       = "StartRetraining"
    actions   = ["ecs:RunTask"]
    resources = ["arn:aws:ecs:${local.region}:${local.account_id}:task-definition/${var.name}-retrain:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.main.arn]
    }
  }

  statement {
    sid       = "TagStartedTasks"
    actions   = ["ecs:TagResource"]
    resources = ["arn:aws:ecs:${local.region}:${local.account_id}:task/${var.name}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandOverTaskRoles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.task["retraining"].arn, aws_iam_role.execution.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# The monitor asks for a retraining, and a retraining says what came of it, on the environment's own bus.
resource "aws_iam_role_policy" "emit_events" {
  for_each = toset(["monitoring", "retraining"])

  name   = "emit-events"
  role   = aws_iam_role.task[each.value].id
  policy = data.aws_iam_policy_document.emit_events.json
}

data "aws_iam_policy_document" "emit_events" {
  statement {
    sid       = "EmitEvents"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.main.arn]
  }
}
