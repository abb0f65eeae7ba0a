locals {
  # Files that the server fetches at first boot; their hashes are in the user data.
  setup_files = {
    "mlflow_setup.sh"  = "${path.module}/files/mlflow_setup.sh"
    "mlflow_server.py" = "${path.module}/files/mlflow_server.py"
    "heartbeat.sh"     = "${path.module}/files/heartbeat.sh"
    "requirements.txt" = var.requirements_path
  }

  # Only addresses and ARNs; the server reads secrets with its own role.
  server_environment = {
    AWS_DEFAULT_REGION         = data.aws_region.current.name
    AWS_REGION                 = data.aws_region.current.name
    CABSTAND_METRICS_NAMESPACE = var.metrics_namespace
    MLFLOW_PORT                = tostring(local.port)
    MLFLOW_ALLOWED_HOSTS       = join(",", local.allowed_hosts)
    MLFLOW_ARTIFACTS_URI       = var.storage.mlflow_files_uri
    MLFLOW_DB_HOST             = aws_db_instance.main.address
    MLFLOW_DB_PORT             = tostring(aws_db_instance.main.port)
    MLFLOW_DB_NAME             = "mlflow"
    MLFLOW_DB_SECRET_ARN       = aws_db_instance.main.master_user_secret[0].secret_arn
    MLFLOW_SERVER_SECRET_ARN   = aws_secretsmanager_secret.server.arn
    MLFLOW_TASKS_SECRET_ARN    = aws_secretsmanager_secret.tasks.arn
    MLFLOW_REQUIREMENTS        = "/opt/cabstand/requirements.txt"
  }

  user_data = templatefile("${path.module}/files/user_data.sh.tftpl", {
    environment = local.server_environment
    bucket      = var.storage.bucket_names["artifacts"]
    prefix      = local.setup_prefix
    sha256      = { for name, file in local.setup_files : name => filesha256(file) }
  })

  setup_prefix = "setup/mlflow"
}

resource "aws_s3_object" "setup" {
  # checkov:skip=CKV_AWS_186: the bucket encrypts with SSE-S3; these files are public source code.
  for_each = local.setup_files

  bucket      = var.storage.bucket_names["artifacts"]
  key         = "${local.setup_prefix}/${each.key}"
  source      = each.value
  source_hash = filesha256(each.value)
}
