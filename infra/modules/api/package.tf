# The bucket is versioned: it keeps each zip, and the function refers to the version that it runs.
resource "aws_s3_object" "package" {
  # checkov:skip=CKV_AWS_186: the bucket encrypts with SSE-S3; the zip is public source code.
  bucket      = var.storage.bucket_names["artifacts"]
  key         = "setup/lambda/api.zip"
  source      = var.package_path
  source_hash = filesha256(var.package_path)
}
