# The deploy role also pushes the images that it deploys, and writes the states.
resource "aws_iam_role_policy" "deploy" {
  name   = "push-images-keep-states"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.deploy_push.json
}

data "aws_iam_policy_document" "deploy_push" {
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
      "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [for repository in aws_ecr_repository.main : repository.arn]
  }

  # The bootstrap's own state is not among them: only a person changes it.
  statement {
    sid       = "KeepStates"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for name in var.deploy_environments : "${aws_s3_bucket.state.arn}/${name}/*"]
  }

  # It applies plans that another role has saved, and can save none itself: see NotOtherStates.
  statement {
    sid       = "ReadPlans"
    actions   = ["s3:GetObject"]
    resources = [for name in var.deploy_environments : "${aws_s3_bucket.state.arn}/plans/${name}/*"]
  }

  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid           = "NotOtherStates"
    effect        = "Deny"
    actions       = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
    not_resources = concat([for name in var.deploy_environments : "${aws_s3_bucket.state.arn}/${name}/*"], [for name in var.deploy_environments : "arn:aws:s3:::${var.project}-${name}-*"])
  }

  statement {
    sid       = "NotTheStateBucket"
    effect    = "Deny"
    actions   = ["s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"]
    resources = [aws_s3_bucket.state.arn]
  }
}
