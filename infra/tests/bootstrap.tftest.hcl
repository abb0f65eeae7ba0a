mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  github_repository    = "example/cabstand"
  github_repository_id = "789"
  github_owner_id      = "456"
}

run "trusts_exact_claims_alone" {
  command = plan

  module {
    source = "./bootstrap"
  }

  assert {
    condition = local.claims.plan.sub == ["repo:example/cabstand:pull_request", "repo:example@456/cabstand@789:pull_request"] && local.claims.deploy.sub == [
      "repo:example/cabstand:environment:dev", "repo:example/cabstand:environment:prod",
      "repo:example@456/cabstand@789:environment:dev", "repo:example@456/cabstand@789:environment:prod",
    ]
    error_message = "pull requests plan; protected environments deploy; nothing else; each in the old and the new form of the subject"
  }

  assert {
    condition     = local.claims["release-plan"].sub == ["repo:example/cabstand:ref:refs/heads/main", "repo:example@456/cabstand@789:ref:refs/heads/main"] && local.claims["release-plan"].ref == ["refs/heads/main"]
    error_message = "releases are planned from main alone"
  }

  assert {
    condition     = alltrue([for role in ["plan", "release-plan", "deploy", "images", "run"] : local.claims[role].repository_id == ["789"] && local.claims[role].repository_owner_id == ["456"]])
    error_message = "both roles must be held to the repository's id"
  }

  assert {
    condition     = join(" ", local.claims.deploy.environment) == "dev prod" && length(aws_iam_openid_connect_provider.github) == 1
    error_message = "the deploy role must be held to the protected environments"
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.main : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push])
    error_message = "tags must be immutable and images scanned"
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.state.force_destroy
    error_message = "the state must keep its versions"
  }
}

run "uses_a_provider_that_exists" {
  command = plan

  module {
    source = "./bootstrap"
  }

  variables {
    create_github_provider = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && local.github_provider_arn == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    error_message = "an account that has GitHub's provider keeps it"
  }
}

run "refuses_what_is_wrong" {
  command = plan

  module {
    source = "./bootstrap"
  }

  variables {
    project              = "x"
    region               = "x"
    emulator_endpoint    = "x"
    github_repository    = "x/y"
    github_repository_id = "*"
    github_owner_id      = ""
    deploy_environments  = ["*"]
    images_kept          = 0
  }

  expect_failures = [
    var.project, var.region, var.emulator_endpoint, var.github_repository_id, var.github_owner_id, var.deploy_environments, var.images_kept,
  ]
}

run "refuses_a_repository_without_an_owner" {
  command = plan

  module {
    source = "./bootstrap"
  }

  variables {
    github_repository = "x"
  }

  expect_failures = [var.github_repository]
}
