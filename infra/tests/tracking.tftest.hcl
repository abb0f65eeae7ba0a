# A mock provider has no ephemeral resources (Terraform 1.11), so this uses the real one without an account: it only plans, every
# data source that would call AWS is overridden, and the passwords are given.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test" # pragma: allowlist secret
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_ssm_parameter.server_image

  values = {
    insecure_value = "ami-0123456789abcdef0"
  }
}

variables {
  make_passwords  = false
  given_passwords = { admin = "password-of-this-test-only", session = "password-of-this-test-only", tasks = "password-of-this-test-only" } # pragma: allowlist secret

  name                     = "cabstand-test"
  requirements_path        = "../requirements/mlflow.txt"
  secret_recovery_days     = 7
  log_retention_days       = 30
  metrics_namespace        = "cabstand/test"
  permissions_boundary_arn = null

  network = {
    vpc_id                 = "vpc-0123456789abcdef0"
    server_subnet_id       = "subnet-0123456789abcdef0"
    server_subnet_cidr     = "10.40.0.0/20"
    isolated_subnet_ids    = ["subnet-1", "subnet-2"]
    task_security_group_id = "sg-0123456789abcdef0"
  }

  storage = {
    mlflow_files_uri = "s3://cabstand-test-artifacts/mlflow"
    bucket_names     = { artifacts = "cabstand-test-artifacts" }
    policy_arns      = { for name in ["mlflow-files", "read-setup"] : name => "arn:aws:iam::123456789012:policy/${name}" }
  }

  server = {
    instance_type = "t4g.small"
    disk_gib      = 16
  }

  database = {
    instance_class        = "db.t4g.micro"
    disk_gib              = 20
    multi_az              = false
    deletion_protection   = true
    backup_retention_days = 7
  }
}

run "server_and_database_are_closed" {
  command = plan

  module {
    source = "./modules/tracking"
  }

  assert {
    condition     = aws_instance.server.metadata_options[0].http_tokens == "required" && aws_instance.server.root_block_device[0].encrypted
    error_message = "the server must require IMDSv2 and have an encrypted disk"
  }

  assert {
    condition     = !aws_db_instance.main.publicly_accessible && aws_db_instance.main.storage_encrypted && aws_db_instance.main.manage_master_user_password && aws_db_instance.main.deletion_protection
    error_message = "the database must be private, encrypted, with a managed secret, and protected against deletion"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.server_from_tasks.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.database_from_server.cidr_ipv4 == null
    error_message = "no address range may reach the server or the database"
  }

  assert {
    condition     = output.tracking_uri == "http://10.40.0.10:5000"
    error_message = "the server must have the tenth address of its subnet"
  }

  assert {
    condition     = aws_instance.server.user_data_replace_on_change && aws_instance.server.instance_type == "t4g.small"
    error_message = "the server is arm64, and upgraded by replacing it"
  }
}
