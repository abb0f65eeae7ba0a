# Hashes of the callers' keys, never a key. `cabstand keys create` writes here; Terraform only creates the empty list.
resource "aws_secretsmanager_secret" "keys" {
  # checkov:skip=CKV_AWS_149: encrypted with Secrets Manager's own key; a customer key costs 1 USD a month.
  # checkov:skip=CKV2_AWS_57: it holds hashes of keys; a key is rotated by its owner with `cabstand keys create` and `revoke`.
  name                    = "${var.name}/api/keys"
  description             = "SHA-256 hashes of the service's API keys."
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "keys" {
  secret_id                = aws_secretsmanager_secret.keys.id
  secret_string_wo         = jsonencode({ schema_version = 1, keys = [] })
  secret_string_wo_version = 1
}
