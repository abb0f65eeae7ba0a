# What the code in a task may do. Tasks with the same permissions share a role.
locals {
  task_roles = {
    clustering   = { description = "Cluster, compare and sweep over the lake.", policies = ["write-lake"], starts_workers = false }
    distributing = { description = "Cluster the lake, with workers of its own.", policies = ["write-lake"], starts_workers = true }
    training     = { description = "Train on the lake, publish bundles.", policies = ["read-lake", "write-bundles"], starts_workers = false }
    pipeline     = { description = "Ingest, cluster, train, publish, report.", policies = ["write-lake", "write-bundles", "write-site"], starts_workers = true }
    monitoring   = { description = "Compare with the past, ask for retraining.", policies = ["read-lake", "write-monitor", "read-bundles", "write-site"], starts_workers = false }
    retraining   = { description = "Run the pipeline for a decision.", policies = ["read-lake", "write-results", "write-monitor", "write-bundles", "write-site"], starts_workers = false }
    worker       = { description = "Cluster blocks of the lake for a distributed run.", policies = ["write-lake"], starts_workers = false }
  }

  task_role_policies = merge([
    for role, access in local.task_roles : { for policy in access.policies : "${role}/${policy}" => { role = role, policy = policy } }
  ]...)
}

resource "aws_iam_role" "task" {
  for_each = local.task_roles

  name                 = "${var.name}-task-${each.key}"
  description          = each.value.description
  assume_role_policy   = data.aws_iam_policy_document.task_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "task_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_iam_role_policy_attachment" "task" {
  for_each = local.task_role_policies

  role       = aws_iam_role.task[each.value.role].name
  policy_arn = var.storage.policy_arns[each.value.policy]
}

# A distributed run may start, watch and stop workers, in this cluster only, and pass the two roles of the workers.
resource "aws_iam_role_policy" "start_workers" {
  for_each = { for role, access in local.task_roles : role => access if access.starts_workers }

  name   = "start-workers"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.start_workers.json
}

data "aws_iam_policy_document" "start_workers" {
  statement {
    sid       = "StartWorkers"
    actions   = ["ecs:RunTask"]
    resources = ["arn:aws:ecs:${local.region}:${local.account_id}:task-definition/${var.name}-dask-worker:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.main.arn]
    }
  }

  statement {
    sid       = "WatchAndStopTasks"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = ["arn:aws:ecs:${local.region}:${local.account_id}:task/${aws_ecs_cluster.main.name}/*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.main.arn]
    }
  }

  statement {
    sid       = "TagWorkersAtStart"
    actions   = ["ecs:TagResource"]
    resources = ["arn:aws:ecs:${local.region}:${local.account_id}:task/${aws_ecs_cluster.main.name}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandOverWorkerRoles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.task["worker"].arn, aws_iam_role.execution.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}
