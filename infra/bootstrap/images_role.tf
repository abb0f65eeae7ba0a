# Images of main are built, scanned, signed and pushed by their commit (images.yml), before any environment uses them. A release finds
# them there. Tags are immutable: nothing that was pushed can be replaced.
resource "aws_iam_role" "images" {
  name               = "${var.project}-images"
  description        = "Main: push images and their signatures."
  assume_role_policy = data.aws_iam_policy_document.github_trust["images"].json
}

resource "aws_iam_role_policy" "images" {
  name   = "push-images"
  role   = aws_iam_role.images.id
  policy = data.aws_iam_policy_document.images.json
}

data "aws_iam_policy_document" "images" {
  # checkov:skip=CKV_AWS_356: GetAuthorizationToken has no resource.
  # checkov:skip=CKV_AWS_111: the same.
  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "PushImages"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:ListImages", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [for repository in aws_ecr_repository.main : repository.arn]
  }
}
