resource "aws_ecs_task_definition" "main" {
  for_each = local.tasks

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.vcpu * 1024
  memory                   = each.value.memory * 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task[each.value.role].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.image.architecture
  }

  # The root file system is read-only; a task can write to these two volumes only, and they are deleted with it.
  volume {
    name = "tmp"
  }

  volume {
    name = "work"
  }

  container_definitions = jsonencode(concat([{
    name      = "task"
    image     = var.image.uri
    essential = true
    memory    = each.value.memory * 1024 - local.collector_mib

    entryPoint = [each.value.command[0]]
    command    = slice(each.value.command, 1, length(each.value.command))

    user                   = "10001:10001"
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true }
    # Time between SIGTERM and SIGKILL in seconds; the most that Fargate allows.
    stopTimeout = 120

    mountPoints = [
      { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
      { sourceVolume = "work", containerPath = "/work", readOnly = false },
    ]

    environment = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    secrets = each.key == "dask-worker" ? [] : [
      { name = "MLFLOW_TRACKING_USERNAME", valueFrom = "${var.tracking.tasks_secret_arn}:username::" },
      { name = "MLFLOW_TRACKING_PASSWORD", valueFrom = "${var.tracking.tasks_secret_arn}:password::" },
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.task[each.key].name
        awslogs-region        = local.region
        awslogs-stream-prefix = "run"
      }
    }

    # ECS stops a container before those it depends on, so the collector takes the last spans.
    dependsOn = [for collector in local.collectors : { containerName = collector.name, condition = "START" }]
    }], [for collector in local.collectors : merge(collector, {
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.task[each.key].name
          awslogs-region        = local.region
          awslogs-stream-prefix = "collector"
        }
      }
  })]))

  lifecycle {
    precondition {
      condition     = each.key != "pipeline" || length(var.pipeline.months) > 0 || length(var.pipeline.holdout_months) == 0
      error_message = "pipeline_holdout_months requires pipeline_months."
    }
  }
}

locals {
  environment = merge(var.task_settings, local.collector_environment, {
    CABSTAND_ARTIFACTS           = var.storage.artifacts_uri
    CABSTAND_HOME                = "/work"
    CABSTAND_LAKE                = var.storage.lake_uri
    CABSTAND_LOG_JSON            = "true"
    CABSTAND_LOG_LEVEL           = var.log_level
    CABSTAND_MLFLOW_EXPERIMENT   = var.name
    CABSTAND_MLFLOW_TRACKING_URI = var.tracking.tracking_uri
    CABSTAND_MONITOR_EVENT_BUS   = aws_cloudwatch_event_bus.main.name
    CABSTAND_SITE                = var.storage.site_uri
    HOME                         = "/work"
    NUMBA_CACHE_DIR              = "/tmp/numba"
    # What a distributed run (`--scheduler ecs`) needs to start its own workers.
    CABSTAND_ECS_CLUSTER           = aws_ecs_cluster.main.name
    CABSTAND_ECS_WORKER_DEFINITION = "${var.name}-dask-worker"
    CABSTAND_ECS_SUBNETS           = join(",", var.network.task_subnet_ids)
    CABSTAND_ECS_SECURITY_GROUP    = var.network.task_security_group_id
    CABSTAND_ECS_PUBLIC_ADDRESS    = tostring(var.network.tasks_have_public_ip)
    CABSTAND_ECS_SPOT              = tostring(var.capacity_provider == "FARGATE_SPOT")
    CABSTAND_TASK_LIFETIME_S       = tostring(var.worker_lifetime_minutes * 60)
  })
}

resource "aws_cloudwatch_log_group" "task" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts with its own key; a customer key costs 1 USD a month and hides nothing more here.
  # checkov:skip=CKV_AWS_338: the retention is a variable; what must last is in MLflow and the lake.
  for_each = local.tasks

  name              = "/cabstand/${var.name}/tasks/${each.key}"
  retention_in_days = var.log_retention_days
}
