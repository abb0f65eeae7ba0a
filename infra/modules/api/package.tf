# The bucket is versioned: each zip stays, and the function names the very version it runs.
resource "aws_s3_object" "package" {
  # checkov:skip=CKV_AWS_186: the bucket encrypts with SSE-S3; the zip is public source code.
  bucket      = var.storage.bucket_names["artifacts"]
  key         = "setup/lambda/api.zip"
  source      = var.package_path
  source_hash = filesha256(var.package_path)
}
