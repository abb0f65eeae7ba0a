resource "aws_iam_role" "server" {
  name                 = "${var.name}-mlflow-server"
  description          = "MLflow server: its secrets, its artifacts, its heartbeat, and Session Manager."
  assume_role_policy   = data.aws_iam_policy_document.server_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_instance_profile" "server" {
  name = aws_iam_role.server.name
  role = aws_iam_role.server.name
}

data "aws_iam_policy_document" "server_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "server" {
  for_each = toset(["mlflow-files", "read-setup"])

  role       = aws_iam_role.server.name
  policy_arn = var.storage.policy_arns[each.key]
}

resource "aws_iam_role_policy" "server" {
  name   = "run-mlflow"
  role   = aws_iam_role.server.id
  policy = data.aws_iam_policy_document.server.json
}

data "aws_iam_policy_document" "server" {
  # checkov:skip=CKV_AWS_356: Session Manager's channels and CloudWatch's PutMetricData have no resources; the latter is limited to one namespace.
  # checkov:skip=CKV_AWS_111: the same.
  statement {
    sid     = "ReadOwnSecrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [
      aws_secretsmanager_secret.server.arn,
      aws_secretsmanager_secret.tasks.arn,
      aws_db_instance.main.master_user_secret[0].secret_arn,
    ]
  }

  # Session Manager replaces SSH. The managed policy AmazonSSMManagedInstanceCore could also read every parameter of the account.
  statement {
    sid = "SessionManager"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "Heartbeat"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.metrics_namespace]
    }
  }
}

# Lets tasks log in to MLflow.
resource "aws_iam_policy" "use_tracking" {
  name        = "${var.name}-use-tracking"
  description = "Read the MLflow user of the batch tasks."
  policy      = data.aws_iam_policy_document.use_tracking.json
}

data "aws_iam_policy_document" "use_tracking" {
  statement {
    sid       = "ReadTasksUser"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.tasks.arn]
  }
}
