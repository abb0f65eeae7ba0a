# The function reads bundles and the hashes of keys, and writes its log.
resource "aws_iam_role" "function" {
  name                 = "${local.function_name}-function"
  description          = "The prediction function: bundles, hashes of keys, its log."
  assume_role_policy   = data.aws_iam_policy_document.trust["lambda"].json
  permissions_boundary = var.permissions_boundary_arn
}

# Firehose writes predictions into the lake.
resource "aws_iam_role" "delivery" {
  name                 = "${local.function_name}-prediction-delivery"
  description          = "Firehose writing predictions into the lake."
  assume_role_policy   = data.aws_iam_policy_document.trust["firehose"].json
  permissions_boundary = var.permissions_boundary_arn
}

# CloudWatch Logs sends prediction lines to Firehose.
resource "aws_iam_role" "log_subscription" {
  name                 = "${local.function_name}-log-subscription"
  description          = "CloudWatch Logs handing predictions to Firehose."
  assume_role_policy   = data.aws_iam_policy_document.trust["logs"].json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["lambda", "firehose", "logs"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }

    # Lambda sends no source account.
    dynamic "condition" {
      for_each = each.key == "lambda" ? [] : [1]

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }
    }
  }
}

resource "aws_iam_role_policy_attachment" "function" {
  role       = aws_iam_role.function.name
  policy_arn = var.storage.policy_arns["read-bundles"]
}

resource "aws_iam_role_policy" "function" {
  name   = "serve"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

data "aws_iam_policy_document" "function" {
  # checkov:skip=CKV_AWS_356: X-Ray's two actions have no resources, and are granted only where tracing is on.
  # checkov:skip=CKV_AWS_111: the same.
  statement {
    sid       = "ReadHashesOfKeys"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.keys.arn]
  }

  statement {
    sid       = "WriteOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.enable_tracing ? [1] : []

    content {
      sid       = "SendTraces"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "delivery" {
  role       = aws_iam_role.delivery.name
  policy_arn = var.storage.policy_arns["log-predictions"]
}

resource "aws_iam_role_policy" "log_subscription" {
  name   = "hand-over-predictions"
  role   = aws_iam_role.log_subscription.id
  policy = data.aws_iam_policy_document.log_subscription.json
}

data "aws_iam_policy_document" "log_subscription" {
  statement {
    sid       = "PutPredictions"
    actions   = ["firehose:PutRecord", "firehose:PutRecordBatch"]
    resources = [aws_kinesis_firehose_delivery_stream.predictions.arn]
  }
}
