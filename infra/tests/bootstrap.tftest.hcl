mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  github_repository = "example/cabstand"
}

run "trusts_exact_subjects_alone" {
  command = plan

  module {
    source = "./bootstrap"
  }

  assert {
    condition     = local.subjects.plan == ["repo:example/cabstand:pull_request"] && local.subjects.deploy == ["repo:example/cabstand:environment:dev", "repo:example/cabstand:environment:prod"]
    error_message = "pull requests plan; protected environments deploy; nothing else"
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

run "refuses_what_is_wrong" {
  command = plan

  module {
    source = "./bootstrap"
  }

  variables {
    project             = "x"
    region              = "x"
    emulator_endpoint   = "x"
    github_repository   = "x"
    deploy_environments = ["*"]
    images_kept         = 0
  }

  expect_failures = [var.project, var.region, var.emulator_endpoint, var.github_repository, var.deploy_environments, var.images_kept]
}
