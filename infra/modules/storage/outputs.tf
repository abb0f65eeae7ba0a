output "bucket_names" {
  description = "Bucket name by purpose: lake, artifacts, site, and access-logs if enabled."
  value       = { for purpose, bucket in aws_s3_bucket.main : purpose => bucket.id }
}

output "bucket_arns" {
  description = "Bucket ARN by purpose."
  value       = { for purpose, bucket in aws_s3_bucket.main : purpose => bucket.arn }
}

output "lake_uri" {
  description = "Lake, for CABSTAND_LAKE."
  value       = "s3://${aws_s3_bucket.main["lake"].id}"
}

output "artifacts_uri" {
  description = "Serving bundles and pointers, for CABSTAND_ARTIFACTS."
  value       = "s3://${aws_s3_bucket.main["artifacts"].id}/serving"
}

output "site_uri" {
  description = "Results site, for CABSTAND_SITE."
  value       = "s3://${aws_s3_bucket.main["site"].id}"
}

output "mlflow_files_uri" {
  description = "Where MLflow keeps its artifacts."
  value       = "s3://${aws_s3_bucket.main["artifacts"].id}/mlflow"
}

output "policy_arns" {
  description = "ARN of each access policy by name: read-lake, write-lake, read-bundles, write-bundles, mlflow-files, read-setup, write-site, log-predictions."
  value       = { for name, policy in aws_iam_policy.grant : name => policy.arn }
}
