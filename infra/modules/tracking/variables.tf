variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "network" {
  description = "Outputs of the network module: the server's subnet, the database's isolated subnets, and the security group that may call the server."
  type = object({
    vpc_id                 = string
    server_subnet_id       = string
    server_subnet_cidr     = string
    isolated_subnet_ids    = list(string)
    task_security_group_id = string
  })
  nullable = false
}

variable "storage" {
  description = "Outputs of the storage module: where MLflow keeps its artifacts, the bucket of the server's setup files, and the policies that give access to both."
  type = object({
    mlflow_files_uri = string
    bucket_names     = map(string)
    policy_arns      = map(string)
  })
  nullable = false
}

variable "requirements_path" {
  description = "Local file with MLflow's hash-locked requirements."
  type        = string
  nullable    = false
}

variable "make_passwords" {
  description = "Whether Secrets Manager generates MLflow's initial passwords; otherwise given_passwords supplies them."
  type        = bool
  nullable    = false
}

variable "given_passwords" {
  description = "MLflow's initial passwords if they are not generated: admin, session (signs its sessions), tasks. Terraform never stores them."
  type        = map(string)
  ephemeral   = true
  sensitive   = true
}

variable "server" {
  description = "EC2 type of the server (arm64), and size of its disk."
  type = object({
    instance_type = string
    disk_gib      = number
  })
  nullable = false
}

variable "database" {
  description = "RDS class of the database, size of its disk, standby, deletion protection, and days that its backups are kept."
  type = object({
    instance_class        = string
    disk_gib              = number
    multi_az              = bool
    deletion_protection   = bool
    backup_retention_days = number
  })
  nullable = false
}

variable "secret_recovery_days" {
  description = "Days that a deleted secret can be restored; 0 deletes it at once."
  type        = number
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that the database's logs are kept."
  type        = number
  nullable    = false
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the server's heartbeat."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role created here; null for none."
  type        = string
}
