output "state_bucket" {
  description = "Bucket of all states."
  value       = aws_s3_bucket.state.id
}

output "repository_urls" {
  description = "Container repository by image."
  value       = { for name, repository in aws_ecr_repository.main : name => repository.repository_url }
}

output "plan_role_arn" {
  description = "Role of pull requests, for the repository's variable AWS_PLAN_ROLE."
  value       = aws_iam_role.plan.arn
}

output "release_plan_role_arn" {
  description = "Role of releases from main, which plan before somebody approves."
  value       = aws_iam_role.release_plan.arn
}

output "deploy_role_arn" {
  description = "Role of protected environments, for their variable AWS_DEPLOY_ROLE."
  value       = aws_iam_role.deploy.arn
}

output "images_role_arn" {
  description = "Role of main's images."
  value       = aws_iam_role.images.arn
}

output "run_role_arn" {
  description = "Role of protected environments that start tasks by hand."
  value       = aws_iam_role.run.arn
}

output "boundary_arn" {
  description = "Permissions boundary of every role that the deploy role creates."
  value       = aws_iam_policy.boundary.arn
}
