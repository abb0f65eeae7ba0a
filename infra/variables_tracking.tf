variable "server_instance_type" {
  description = "EC2 type of the server, arm64; MLflow without its job runner needs about 1 GiB of memory."
  type        = string
  default     = "t4g.small"

  validation {
    condition     = can(regex("^(t4g|m6g|m7g|m8g|c6g|c7g|c8g|r6g|r7g|r8g)\\.[a-z0-9]+$", var.server_instance_type)) && !contains(["t4g.nano", "t4g.micro"], var.server_instance_type)
    error_message = "server_instance_type must be an arm64 (Graviton) type with at least 2 GiB of memory, for example t4g.small."
  }
}

variable "server_disk_gib" {
  description = "Size of the server's encrypted disk in GiB."
  type        = number
  default     = 16

  validation {
    condition     = var.server_disk_gib >= 12 && var.server_disk_gib <= 500
    error_message = "server_disk_gib must be between 12 and 500."
  }
}

variable "database_instance_class" {
  description = "RDS class of the database."
  type        = string
  default     = "db.t4g.micro"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.database_instance_class))
    error_message = "database_instance_class must look like db.t4g.micro."
  }
}

variable "database_disk_gib" {
  description = "Size of the database's disk in GiB; it grows automatically up to five times that."
  type        = number
  default     = 20

  validation {
    condition     = var.database_disk_gib >= 20 && var.database_disk_gib <= 1000
    error_message = "database_disk_gib must be between 20 and 1000."
  }
}

variable "enable_multi_az" {
  description = "Whether the database has a standby in the other zone (doubles its price)."
  type        = bool
  default     = false
}

variable "enable_deletion_protection" {
  description = "Whether the database is protected against deletion, and leaves a final snapshot once it is deleted."
  type        = bool
  default     = true
}

variable "backup_retention_days" {
  description = "Days that the database's automatic backups are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 1 and 35."
  }
}

variable "secret_recovery_days" {
  description = "Days that a deleted secret can be restored; 0 deletes it at once."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0, or between 7 and 30."
  }
}

variable "make_mlflow_passwords" {
  description = "Whether Secrets Manager generates MLflow's initial passwords; otherwise given_mlflow_passwords supplies them."
  type        = bool
  default     = true
}

variable "given_mlflow_passwords" {
  description = "MLflow's initial passwords if they are not generated: admin, session (signs its sessions), tasks. Terraform never stores them."
  type        = map(string)
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.given_mlflow_passwords == null ? var.make_mlflow_passwords : alltrue([for name in ["admin", "session", "tasks"] : length(lookup(var.given_mlflow_passwords, name, "")) >= 24])
    error_message = "given_mlflow_passwords must hold admin, session and tasks, at least 24 characters each; it is required if make_mlflow_passwords is false."
  }
}
