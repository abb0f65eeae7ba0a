locals {
  # Bucket => its expiration rules.
  expiring_prefixes = {
    lake = {
      quarantine  = { prefix = "quarantine/", days = var.retention_days.quarantine }
      predictions = { prefix = "predictions/", days = var.retention_days.predictions }
      undelivered = { prefix = "undelivered/", days = var.retention_days.quarantine }
    }
    artifacts   = {}
    site        = {}
    access-logs = { requests = { prefix = "requests/", days = 90 } }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "main" {
  for_each = local.purposes

  bucket = aws_s3_bucket.main[each.key].id

  rule {
    id     = "old-versions-and-unfinished-uploads"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.retention_days.old_versions
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  dynamic "rule" {
    for_each = local.expiring_prefixes[each.key]

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      expiration {
        days = rule.value.days
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.main]
}
