# Protected against accidents, with more logs; about twice the price of dev.
environment = "prod"

batch_image_tag = "v1"

server_instance_type       = "t4g.medium"
database_instance_class    = "db.t4g.small"
enable_multi_az            = true
enable_deletion_protection = true
backup_retention_days      = 14
secret_recovery_days       = 30

enable_flow_logs   = true
enable_access_logs = true
enable_tracing     = true
log_retention_days = 365

capacity_provider  = "FARGATE"
monthly_budget_usd = 200
