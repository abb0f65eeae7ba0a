# GitHub's workflows authenticate with a short-lived token; GitHub stores no key of this account.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  # Role => the only subjects that its token may have, compared exactly. GitHub gives pull requests from forks no token.
  subjects = {
    plan   = ["repo:${var.github_repository}:pull_request"]
    deploy = [for name in var.deploy_environments : "repo:${var.github_repository}:environment:${name}"]
  }
}

data "aws_iam_policy_document" "github_trust" {
  for_each = local.subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_role" "plan" {
  name               = "${var.project}-plan"
  description        = "Pull requests: plan without refresh, read only."
  assume_role_policy = data.aws_iam_policy_document.github_trust["plan"].json
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.project}-deploy"
  description          = "Protected environments: apply, within the project's names."
  assume_role_policy   = data.aws_iam_policy_document.github_trust["deploy"].json
  max_session_duration = 3600
}
