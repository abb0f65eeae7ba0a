# Buckets for the lake (trips, hotspots, predictions), artifacts (MLflow's files, serving bundles, deployed code) and the results site.

data "aws_caller_identity" "current" {}

locals {
  purposes = toset(concat(["lake", "artifacts", "site"], var.enable_access_logs ? ["access-logs"] : []))
}

resource "aws_s3_bucket" "main" {
  # checkov:skip=CKV_AWS_18: access logs are a switch (enable_access_logs); the log bucket cannot log to itself.
  # checkov:skip=CKV_AWS_144: the lake can be ingested again and the rest is versioned; a second region doubles the bill.
  # checkov:skip=CKV_AWS_145: SSE-S3 encrypts with AES-256; a customer key adds 1 USD a month and a price per request.
  # checkov:skip=CKV2_AWS_62: nothing listens for object events; jobs are started by schedules.
  for_each = local.purposes

  # The account number makes the name globally unique.
  bucket        = "${var.name}-${each.key}-${data.aws_caller_identity.current.account_id}"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "main" {
  for_each = local.purposes

  bucket = aws_s3_bucket.main[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "main" {
  for_each = local.purposes

  bucket = aws_s3_bucket.main[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "main" {
  for_each = local.purposes

  bucket = aws_s3_bucket.main[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "main" {
  for_each = local.purposes

  bucket                  = aws_s3_bucket.main[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
