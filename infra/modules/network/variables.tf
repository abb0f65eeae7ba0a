variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "cidr_block" {
  description = "Private IPv4 range of the VPC, /16 to /22."
  type        = string
  nullable    = false
}

variable "server_instance_type" {
  description = "EC2 type of the MLflow server, which the zones must offer."
  type        = string
  nullable    = false
}

variable "egress" {
  description = "How tasks reach AWS and the internet: internet_gateway, nat_gateway or interface_endpoints."
  type        = string
  nullable    = false
}

variable "enable_flow_logs" {
  description = "Whether accepted and rejected flows are logged to CloudWatch."
  type        = bool
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role created here; null for none."
  type        = string
}
