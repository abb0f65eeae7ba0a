mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "cabstand-test"
  enable_access_logs = false
  retention_days     = { quarantine = 90, predictions = 400, old_versions = 30 }
  force_destroy      = false
}

run "every_bucket_is_guarded" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = keys(aws_s3_bucket.main) == ["artifacts", "lake", "site"]
    error_message = "there must be three buckets"
  }

  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.main : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "public access must be blocked in full"
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.main : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "every bucket must keep versions"
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.main : !bucket.force_destroy])
    error_message = "a bucket with objects must not be destroyed unless force_destroy says so"
  }

  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.main["lake"].rule : rule if rule.status == "Enabled"]) == 4
    error_message = "the lake must expire quarantine, predictions, undelivered ones, and old versions"
  }
}

run "access_logs_by_switch" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    enable_access_logs = true
  }

  assert {
    condition     = length(aws_s3_bucket.main) == 4 && length(aws_s3_bucket_logging.main) == 3
    error_message = "the three buckets must log to a fourth"
  }
}
