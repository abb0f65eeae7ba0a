# Passwords are made by Secrets Manager, or given, and handed over write-only: none is in the state, a plan or the user data.
ephemeral "aws_secretsmanager_random_password" "made" {
  for_each = var.make_passwords ? { admin = 32, session = 48, tasks = 32 } : {}

  password_length     = each.value
  exclude_punctuation = true
}

locals {
  made_passwords = { for name, made in ephemeral.aws_secretsmanager_random_password.made : name => made.random_password }
  passwords      = var.make_passwords ? local.made_passwords : var.given_passwords
}

# Read by the server alone: its first administrator, and the key that signs its sessions.
resource "aws_secretsmanager_secret" "server" {
  # checkov:skip=CKV_AWS_149: encrypted with Secrets Manager's own key; a customer key costs 1 USD a month.
  # checkov:skip=CKV2_AWS_57: MLflow reads the initial password once, so rotating the secret alone would change nothing; see the runbook.
  name                    = "${var.name}/mlflow/server"
  description             = "MLflow's administrator and session key."
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "server" {
  secret_id = aws_secretsmanager_secret.server.id
  secret_string_wo = jsonencode({
    username         = "admin"
    password         = local.passwords["admin"]
    flask_secret_key = local.passwords["session"]
  })
  secret_string_wo_version = 1
}

# Read by the server, which makes the user, and by the tasks, which log in with it.
resource "aws_secretsmanager_secret" "tasks" {
  # checkov:skip=CKV_AWS_149: encrypted with Secrets Manager's own key; a customer key costs 1 USD a month.
  # checkov:skip=CKV2_AWS_57: rotated together with the user in MLflow; see the runbook.
  name                    = "${var.name}/mlflow/tasks"
  description             = "MLflow user of the batch tasks."
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "tasks" {
  secret_id = aws_secretsmanager_secret.tasks.id
  secret_string_wo = jsonencode({
    username = "tasks"
    password = local.passwords["tasks"]
  })
  secret_string_wo_version = 1
}
