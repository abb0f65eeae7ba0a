output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.main.id
}

output "server_subnet_id" {
  description = "Public subnet of the tracking server."
  value       = aws_subnet.public[0].id
}

output "server_subnet_cidr" {
  description = "Address range of the tracking server's subnet."
  value       = aws_subnet.public[0].cidr_block
}

output "task_subnet_ids" {
  description = "Subnets that tasks run in: public ones, or private ones where egress is a NAT gateway or endpoints."
  value       = local.has_private ? aws_subnet.private[*].id : aws_subnet.public[*].id
}

output "tasks_have_public_ip" {
  description = "Whether tasks need a public address to reach AWS."
  value       = !local.has_private
}

output "task_security_group_id" {
  description = "Security group of the tasks."
  value       = aws_security_group.tasks.id
}

output "isolated_subnet_ids" {
  description = "Subnets without a route to the internet, for the database."
  value       = aws_subnet.isolated[*].id
}
