variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "schedule_group" {
  description = "Schedule group of the environment, where `make sleep` looks for this schedule."
  type        = string
  nullable    = false
}

variable "database_id" {
  description = "Identifier of the RDS database to keep stopped."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role created here; null for none."
  type        = string
}
