resource "aws_iam_role" "stay_asleep" {
  name                 = "${var.name}-stay-asleep"
  description          = "EventBridge Scheduler, stopping one database."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy" "stay_asleep" {
  name   = "stop-database"
  role   = aws_iam_role.stay_asleep.id
  policy = data.aws_iam_policy_document.stop_database.json
}

data "aws_iam_policy_document" "stop_database" {
  statement {
    sid       = "StopDatabase"
    actions   = ["rds:StopDBInstance"]
    resources = [local.database_arn]
  }
}
