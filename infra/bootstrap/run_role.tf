# A person starts a comparison, a pipeline or a monitor from GitHub (batch.yml), approved like a release, and follows its log.
locals {
  # Task definition => the role that its code runs with.
  started_by_hand = { compare = "clustering", monitor = "monitoring", pipeline = "pipeline" }

  handed_to_tasks = [for role in concat(values(local.started_by_hand), ["execution"]) : "task-${role}"]
  clusters        = [for name in var.deploy_environments : "${var.project}-${name}"]
}

resource "aws_iam_role" "run" {
  name                 = "${var.project}-run"
  description          = "Protected environments: start three tasks by hand, and read their logs."
  assume_role_policy   = data.aws_iam_policy_document.github_trust["run"].json
  max_session_duration = 5400
}

resource "aws_iam_role_policy" "run" {
  name   = "run-tasks"
  role   = aws_iam_role.run.id
  policy = data.aws_iam_policy_document.run.json
}

data "aws_iam_policy_document" "run" {
  # checkov:skip=CKV_AWS_356: DescribeTaskDefinition has no resource.
  statement {
    sid       = "StartTasks"
    actions   = ["ecs:RunTask"]
    resources = flatten([for cluster in local.clusters : [for task in keys(local.started_by_hand) : format(local.own, "ecs", "task-definition/${cluster}-${task}:*")]])

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [for cluster in local.clusters : format(local.own, "ecs", "cluster/${cluster}")]
    }
  }

  statement {
    sid       = "TagStartedTasks"
    actions   = ["ecs:TagResource"]
    resources = [for cluster in local.clusters : format(local.own, "ecs", "task/${cluster}/*")]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandOverTaskRoles"
    actions   = ["iam:PassRole"]
    resources = flatten([for cluster in local.clusters : [for role in local.handed_to_tasks : "arn:aws:iam::${local.account_id}:role/${cluster}-${role}"]])

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "WatchTasks"
    actions   = ["ecs:DescribeTasks"]
    resources = [for cluster in local.clusters : format(local.own, "ecs", "task/${cluster}/*")]
  }

  # Where a task runs and logs.
  statement {
    sid       = "ReadDefinitions"
    actions   = ["ecs:DescribeTaskDefinition"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadLogs"
    actions   = ["logs:GetLogEvents"]
    resources = flatten([for cluster in local.clusters : [for task in keys(local.started_by_hand) : format(local.own, "logs", "log-group:/${var.project}/${cluster}/tasks/${task}:log-stream:*")]])
  }
}
