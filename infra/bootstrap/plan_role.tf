# Pull requests plan with -refresh=false and -lock=false: they compare the code with the state and read nothing else in the
# account but names of zones and images. So the role cannot read secrets, data or resources, and cannot write anything.
resource "aws_iam_role_policy" "plan" {
  name   = "read-state"
  role   = aws_iam_role.plan.id
  policy = data.aws_iam_policy_document.plan.json
}

data "aws_iam_policy_document" "plan" {
  # checkov:skip=CKV_AWS_356: DescribeAvailabilityZones, DescribeInstanceTypeOfferings and GetRandomPassword have no resource.
  statement {
    sid       = "ReadStates"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.state.arn}/*/terraform.tfstate"]
  }

  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid       = "ReadZones"
    actions   = ["ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTypeOfferings"]
    resources = ["*"]
  }

  # A plan makes the passwords of new secrets, too, and forgets them.
  statement {
    sid       = "MakePasswords"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }

  # Schedules start once a batch image has been pushed.
  statement {
    sid       = "FindBatchImage"
    actions   = ["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListTagsForResource"]
    resources = [aws_ecr_repository.main["batch"].arn]
  }

  statement {
    sid       = "ReadNameOfServerImage"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:aws:ssm:${var.region}::parameter/aws/service/ami-amazon-linux-latest/*"]
  }
}

# A release's plan is saved for its approver: this role may add plans, but read none, because a plan contains the state as it was,
# and change no state. Pull requests have a role of their own, so that none can add a plan.
resource "aws_iam_role_policy" "release_plan" {
  name   = "read-state-save-plans"
  role   = aws_iam_role.release_plan.id
  policy = data.aws_iam_policy_document.release_plan.json
}

data "aws_iam_policy_document" "release_plan" {
  # checkov:skip=CKV_AWS_356: see the plan role.
  source_policy_documents = [data.aws_iam_policy_document.plan.json]

  statement {
    sid       = "SavePlans"
    actions   = ["s3:PutObject"]
    resources = [for name in var.deploy_environments : "${aws_s3_bucket.state.arn}/plans/${name}/*"]
  }
}
