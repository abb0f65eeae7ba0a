resource "aws_s3_bucket_logging" "main" {
  for_each = var.enable_access_logs ? toset(["lake", "artifacts", "site"]) : toset([])

  bucket        = aws_s3_bucket.main[each.key].id
  target_bucket = aws_s3_bucket.main["access-logs"].id
  target_prefix = "requests/${each.key}/"

  depends_on = [aws_s3_bucket_policy.main]
}
