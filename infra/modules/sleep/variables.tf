variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "schedule_group" {
  description = "Group of the environment's schedules, in which `make sleep` looks for this one."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z_.-]{1,64}$", var.schedule_group))
    error_message = "schedule_group must be the name of a group of EventBridge Scheduler."
  }
}

variable "database_id" {
  description = "Identifier of the database that must stay stopped."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.database_id))
    error_message = "database_id must be the identifier of an RDS database."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role made here; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null."
  }
}
