variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "vpc_id" {
  description = "VPC of the server and the database."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must look like vpc-0123456789abcdef0."
  }
}

variable "server_subnet_id" {
  description = "Public subnet of the server."
  type        = string

  validation {
    condition     = startswith(var.server_subnet_id, "subnet-")
    error_message = "server_subnet_id must look like subnet-0123456789abcdef0."
  }
}

variable "server_subnet_cidr" {
  description = "Address range of that subnet; the server always has its tenth address, so that a replaced one is found again."
  type        = string

  validation {
    condition     = can(cidrhost(var.server_subnet_cidr, 10))
    error_message = "server_subnet_cidr must be an IPv4 range with at least 16 addresses."
  }
}

variable "database_subnet_ids" {
  description = "Isolated subnets of the database, in two zones."
  type        = list(string)

  validation {
    condition     = length(var.database_subnet_ids) >= 2
    error_message = "database_subnet_ids needs subnets in at least two zones."
  }
}

variable "client_security_group_id" {
  description = "Security group whose members may call the server."
  type        = string

  validation {
    condition     = startswith(var.client_security_group_id, "sg-")
    error_message = "client_security_group_id must look like sg-0123456789abcdef0."
  }
}

variable "files_uri" {
  description = "Where MLflow keeps its artifacts, s3://bucket/prefix."
  type        = string

  validation {
    condition     = can(regex("^s3://[a-z0-9.-]+/.+[^/]$", var.files_uri))
    error_message = "files_uri must be s3://bucket/prefix without a slash at the end."
  }
}

variable "setup_bucket" {
  description = "Bucket that the server fetches its setup script and locked requirements from."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{2,62}$", var.setup_bucket))
    error_message = "setup_bucket must be the name of an S3 bucket."
  }
}

variable "requirements_path" {
  description = "Local file with MLflow's hash-locked requirements."
  type        = string

  validation {
    condition     = fileexists(var.requirements_path)
    error_message = "requirements_path must name a file that exists."
  }
}

variable "policy_arns" {
  description = "Policies of other modules that the server's role gets, by name: its artifacts and its setup files."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.policy_arns) : arn == null || can(regex("^arn:aws", arn))])
    error_message = "policy_arns must hold ARNs of IAM policies."
  }
}

variable "make_passwords" {
  description = "Whether Secrets Manager makes MLflow's first passwords; otherwise given_passwords holds them."
  type        = bool
  default     = true
}

variable "given_passwords" {
  description = "MLflow's first passwords where they are not made: admin, session (key of its sessions), tasks. Never stored by Terraform."
  type        = map(string)
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.given_passwords == null ? var.make_passwords : alltrue([for name in ["admin", "session", "tasks"] : length(lookup(var.given_passwords, name, "")) >= 24])
    error_message = "given_passwords must hold admin, session and tasks of at least 24 characters each, and be given where make_passwords is false."
  }
}

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
  description = "Size of the database's disk in GiB; it grows by itself to five times as much."
  type        = number
  default     = 20

  validation {
    condition     = var.database_disk_gib >= 20 && var.database_disk_gib <= 1000
    error_message = "database_disk_gib must be between 20 and 1000."
  }
}

variable "database_version" {
  description = "Major version of PostgreSQL."
  type        = string
  default     = "17"

  validation {
    condition     = contains(["15", "16", "17"], var.database_version)
    error_message = "database_version must be 15, 16 or 17."
  }
}

variable "enable_multi_az" {
  description = "Whether the database has a standby in the other zone (doubles its price)."
  type        = bool
  default     = false
}

variable "enable_deletion_protection" {
  description = "Whether the database refuses to be deleted, and leaves a last snapshot when it may be."
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
  description = "Days that a deleted secret can be brought back; 0 deletes at once."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0, or between 7 and 30."
  }
}

variable "log_retention_days" {
  description = "Days that the database's logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or 400."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace that the server's heartbeat goes to."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9/_-]{1,255}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "metrics_namespace must be letters, digits, slashes, underscores and hyphens, and not start with AWS/."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role made here; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null."
  }
}
