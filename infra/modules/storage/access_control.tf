# The policies that other modules attach to their roles. Readers list and read; writers also write and delete current objects,
# except on the site and in the monitor's part of the lake, where nothing is deleted. Neither can reach old versions, so what a task deletes
# can be restored.

locals {
  # Name of the policy => bucket, prefixes, whether it may write, and whether a writer may delete.
  grants = {
    read-lake     = { bucket = "lake", prefixes = [""], write = false, delete = false }
    write-lake    = { bucket = "lake", prefixes = [""], write = true, delete = true }
    write-monitor = { bucket = "lake", prefixes = ["monitoring/", "runs/"], write = true, delete = false }
    # What a pipeline run adds to the lake.
    write-results   = { bucket = "lake", prefixes = ["hotspots/", "quarantine/", "runs/", "trips/", "zones/"], write = true, delete = false }
    read-bundles    = { bucket = "artifacts", prefixes = ["serving/"], write = false, delete = false }
    write-bundles   = { bucket = "artifacts", prefixes = ["serving/"], write = true, delete = true }
    mlflow-files    = { bucket = "artifacts", prefixes = ["mlflow/"], write = true, delete = true }
    read-setup      = { bucket = "artifacts", prefixes = ["setup/"], write = false, delete = false }
    write-site      = { bucket = "site", prefixes = [""], write = true, delete = false }
    log-predictions = { bucket = "lake", prefixes = ["predictions/", "undelivered/"], write = true, delete = true }
  }
}

data "aws_iam_policy_document" "grant" {
  for_each = local.grants

  statement {
    sid       = "ListPrefix"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.main[each.value.bucket].arn]

    dynamic "condition" {
      for_each = contains(each.value.prefixes, "") ? [] : [1]

      # S3 answers 404 for an absent object only to those who may list the bucket; it asks that without a prefix.
      content {
        test     = "StringLikeIfExists"
        variable = "s3:prefix"
        values   = flatten([for prefix in each.value.prefixes : [trimsuffix(prefix, "/"), "${prefix}*"]])
      }
    }
  }

  statement {
    sid       = "LocateBucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.main[each.value.bucket].arn]
  }

  statement {
    sid = "UseObjects"
    actions = concat(
      ["s3:GetObject"],
      each.value.write ? ["s3:PutObject", "s3:AbortMultipartUpload"] : [],
      each.value.delete ? ["s3:DeleteObject"] : [],
    )
    resources = [for prefix in each.value.prefixes : "${aws_s3_bucket.main[each.value.bucket].arn}/${prefix}*"]
  }
}

resource "aws_iam_policy" "grant" {
  for_each = local.grants

  name        = "${var.name}-${each.key}"
  description = "${each.value.write ? "Read and write" : "Read"} ${join(", ", [for prefix in each.value.prefixes : "${each.value.bucket}/${prefix}"])}."
  policy      = data.aws_iam_policy_document.grant[each.key].json
}
