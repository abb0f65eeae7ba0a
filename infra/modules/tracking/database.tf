resource "aws_db_subnet_group" "main" {
  name       = "${var.name}-mlflow"
  subnet_ids = var.network.isolated_subnet_ids
}

resource "aws_cloudwatch_log_group" "database" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts with its own key; a customer key costs 1 USD a month and hides nothing more here.
  # checkov:skip=CKV_AWS_338: the retention is a variable; a month of database logs is enough to find a fault.
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}-mlflow/${each.key}"
  retention_in_days = var.log_retention_days
}

# Runs, registry and users of MLflow. PostgreSQL 15 and newer refuse connections without TLS by default.
resource "aws_db_instance" "main" {
  # checkov:skip=CKV_AWS_157: a standby is a switch (enable_multi_az); prod turns it on.
  # checkov:skip=CKV_AWS_293: deletion protection is a switch (enable_deletion_protection), on by default; dev must be able to leave.
  # checkov:skip=CKV_AWS_161: MLflow logs in with the managed secret; nothing would use IAM login.
  # checkov:skip=CKV_AWS_118: enhanced monitoring bills for its logs; the alarms use the basic metrics.
  # checkov:skip=CKV_AWS_353: Performance Insights reaches its end of life, and is billed after seven days.
  # checkov:skip=CKV2_AWS_30: query logging would put parameters of runs into the logs; slow queries are found with pg_stat_statements.
  identifier = "${var.name}-mlflow"

  engine                     = "postgres"
  engine_version             = "17"
  auto_minor_version_upgrade = true
  instance_class             = var.database.instance_class
  multi_az                   = var.database.multi_az

  allocated_storage     = var.database.disk_gib
  max_allocated_storage = var.database.disk_gib * 5
  storage_type          = "gp3"
  storage_encrypted     = true

  # MLflow does not use the master user's database: the setup script creates the database `mlflow`, with a user of its own.
  username                    = "cabstand"
  manage_master_user_password = true

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false

  backup_retention_period  = var.database.backup_retention_days
  backup_window            = "07:00-08:00"
  maintenance_window       = "sun:08:30-sun:09:30"
  copy_tags_to_snapshot    = true
  delete_automated_backups = true

  deletion_protection = var.database.deletion_protection
  skip_final_snapshot = !var.database.deletion_protection
  # Each database has its own, because the snapshot of one that was destroyed earlier may still be there. The time is that of the
  # apply: a plan made again must be the same.
  final_snapshot_identifier = "${var.name}-mlflow-last-${formatdate("YYYYMMDDhhmmss", timestamp())}"

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  lifecycle {
    ignore_changes = [final_snapshot_identifier]
  }

  depends_on = [aws_cloudwatch_log_group.database]
}
