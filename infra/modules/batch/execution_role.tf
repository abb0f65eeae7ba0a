# What ECS does for a task before its code runs: pull the image, create the log stream, read the MLflow user.
resource "aws_iam_role" "execution" {
  name                 = "${var.name}-task-execution"
  description          = "ECS starting a task: its image, its log stream, its MLflow user."
  assume_role_policy   = data.aws_iam_policy_document.task_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy_attachment" "execution_tracking" {
  role       = aws_iam_role.execution.name
  policy_arn = var.tracking.use_tracking_policy_arn
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-task"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

data "aws_iam_policy_document" "execution" {
  # checkov:skip=CKV_AWS_356: GetAuthorizationToken has no resource.
  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [var.image.repository_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in aws_cloudwatch_log_group.task : "${group.arn}:*"]
  }
}
