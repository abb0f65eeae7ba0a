# The most that any role of an environment may ever do, whatever its own policies say. The deploy role cannot create a role without it.
resource "aws_iam_policy" "boundary" {
  name        = "${var.project}-boundary"
  description = "Upper bound of every role that the deploy role makes."
  policy      = data.aws_iam_policy_document.boundary.json
}

locals {
  own = "arn:aws:%s:${var.region}:${local.account_id}:%s"
}

data "aws_iam_policy_document" "boundary" {
  # checkov:skip=CKV_AWS_111: the actions without resources are listed separately, in WithoutResources.
  # checkov:skip=CKV_AWS_356: the same.
  statement {
    sid       = "OwnBuckets"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"]
    resources = ["arn:aws:s3:::${var.project}-*"]
  }

  statement {
    sid       = "NotTheStates"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
  }

  statement {
    sid     = "OwnSecrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [
      format(local.own, "secretsmanager", "secret:${var.project}-*"),
      format(local.own, "secretsmanager", "secret:rds!db-*"),
    ]
  }

  statement {
    sid       = "OwnLogs"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = [for prefix in ["/${var.project}/", "/aws/lambda/${var.project}-"] : format(local.own, "logs", "log-group:${prefix}*")]
  }

  statement {
    sid       = "OwnTasks"
    actions   = ["ecs:DescribeTasks", "ecs:RunTask", "ecs:StopTask", "ecs:TagResource"]
    resources = [format(local.own, "ecs", "task/${var.project}-*"), format(local.own, "ecs", "task-definition/${var.project}-*")]
  }

  statement {
    sid       = "HandOverTaskRoles"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${local.account_id}:role/${var.project}-*-task-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "OwnQueuesStreamsImages"
    actions   = ["sqs:SendMessage", "firehose:PutRecord", "firehose:PutRecordBatch", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [format(local.own, "sqs", "${var.project}-*"), format(local.own, "firehose", "deliverystream/${var.project}-*"), format(local.own, "ecr", "repository/${var.project}/*")]
  }

  statement {
    sid       = "OwnEvents"
    actions   = ["events:PutEvents"]
    resources = [format(local.own, "events", "event-bus/${var.project}-*")]
  }

  statement {
    sid       = "OwnDatabasesAsleep"
    actions   = ["rds:StopDBInstance"]
    resources = [format(local.own, "rds", "db:${var.project}-*")]
  }

  statement {
    sid = "WithoutResources"
    actions = [
      "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
      "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    ]
    resources = ["*"]
  }
}
