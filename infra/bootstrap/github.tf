# GitHub's workflows authenticate with a short-lived token; GitHub stores no key of this account. An account has at most one
# provider for GitHub, so one that exists already is used as it is.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_github_provider ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

moved {
  from = aws_iam_openid_connect_provider.github
  to   = aws_iam_openid_connect_provider.github[0]
}

locals {
  github              = "token.actions.githubusercontent.com"
  github_provider_arn = var.create_github_provider ? aws_iam_openid_connect_provider.github[0].arn : "arn:aws:iam::${local.account_id}:oidc-provider/${local.github}"

  owner      = split("/", var.github_repository)[0]
  repository = split("/", var.github_repository)[1]
  # How a subject may begin: repositories created, renamed or transferred since 2026-07-15 send the ids, older ones the names alone.
  # https://docs.github.com/en/actions/reference/security/oidc
  subject_starts = [
    "repo:${local.owner}/${local.repository}",
    "repo:${local.owner}@${var.github_owner_id}/${local.repository}@${var.github_repository_id}",
  ]

  # Role => the claims that its token must have, compared exactly. A name can be given up and taken by somebody else; ids cannot.
  # GitHub gives pull requests from forks no token.
  repository_claims = {
    repository_id       = [var.github_repository_id]
    repository_owner_id = [var.github_owner_id]
  }
  from_main = merge(local.repository_claims, {
    ref = ["refs/heads/main"]
    sub = [for start in local.subject_starts : "${start}:ref:refs/heads/main"]
  })
  from_environments = merge(local.repository_claims, {
    environment = var.deploy_environments
    sub         = flatten([for start in local.subject_starts : [for name in var.deploy_environments : "${start}:environment:${name}"]])
  })
  claims = {
    plan = merge(local.repository_claims, {
      sub = [for start in local.subject_starts : "${start}:pull_request"]
    })
    # Jobs of main that need no environment: one plans what an environment's approver then sees, one pushes images.
    release-plan = local.from_main
    images       = local.from_main
    deploy       = local.from_environments
    run          = local.from_environments
  }
}

data "aws_iam_policy_document" "github_trust" {
  for_each = local.claims

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_provider_arn]
    }

    dynamic "condition" {
      for_each = merge(each.value, { aud = ["sts.amazonaws.com"] })

      content {
        test     = "StringEquals"
        variable = "${local.github}:${condition.key}"
        values   = condition.value
      }
    }
  }
}

resource "aws_iam_role" "plan" {
  name               = "${var.project}-plan"
  description        = "Pull requests: plan without refresh, read only."
  assume_role_policy = data.aws_iam_policy_document.github_trust["plan"].json
}

resource "aws_iam_role" "release_plan" {
  name               = "${var.project}-release-plan"
  description        = "Releases from main: plan without refresh, and save the plan."
  assume_role_policy = data.aws_iam_policy_document.github_trust["release-plan"].json
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.project}-deploy"
  description          = "Protected environments: apply, within the project's names."
  assume_role_policy   = data.aws_iam_policy_document.github_trust["deploy"].json
  max_session_duration = 3600
}
