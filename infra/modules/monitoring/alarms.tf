locals {
  day_seconds = 86400

  # Alarms on one metric. `statistic` is a plain statistic or a percentile such as p95.
  alarms = {
    workflow-slow = {
      description = "The slowest twentieth of workflows took over 300 s."
      namespace   = var.metrics_namespace, metric = "WorkflowWallSeconds", dimensions = {}
      statistic   = "p95", threshold = 300, comparison = "GreaterThanThreshold", period_seconds = local.day_seconds, periods = 1, missing = "notBreaching"
    }
    experiment-slow = {
      description = "The slowest twentieth of experiments took over 600 s."
      namespace   = var.metrics_namespace, metric = "ExperimentWallSeconds", dimensions = {}
      statistic   = "p95", threshold = 600, comparison = "GreaterThanThreshold", period_seconds = local.day_seconds, periods = 1, missing = "notBreaching"
    }
    server-cpu = {
      description = "The tracking server's CPU was over 80 % for a quarter of an hour."
      namespace   = "AWS/EC2", metric = "CPUUtilization", dimensions = { InstanceId = var.tracking.server_id }
      statistic   = "Average", threshold = 80, comparison = "GreaterThanThreshold", period_seconds = 300, periods = 3, missing = "notBreaching"
    }
    server-silent = {
      description = "MLflow did not answer, or its server was silent, for two minutes."
      namespace   = var.metrics_namespace, metric = "MlflowHealthy", dimensions = {}
      statistic   = "Minimum", threshold = 1, comparison = "LessThanThreshold", period_seconds = 60, periods = 2, missing = "breaching"
    }
    database-disk = {
      description = "The tracking database has less than 2 GiB of disk left."
      namespace   = "AWS/RDS", metric = "FreeStorageSpace", dimensions = { DBInstanceIdentifier = var.tracking.database_id }
      statistic   = "Minimum", threshold = 2147483648, comparison = "LessThanThreshold", period_seconds = 300, periods = 3, missing = "notBreaching"
    }
    api-errors = {
      description = "The service answered 5xx five times within five minutes."
      namespace   = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = var.api.api_id }
      statistic   = "Sum", threshold = 5, comparison = "GreaterThanOrEqualToThreshold", period_seconds = 300, periods = 1, missing = "notBreaching"
    }
    api-slow = {
      description = "The slowest hundredth of requests took over ${var.max_p99_latency_ms} ms for a quarter of an hour."
      namespace   = "AWS/ApiGateway", metric = "Latency", dimensions = { ApiId = var.api.api_id }
      statistic   = "p99", threshold = var.max_p99_latency_ms, comparison = "GreaterThanThreshold", period_seconds = 300, periods = 3, missing = "notBreaching"
    }
    api-throttled = {
      description = "Requests were turned away because the function was at its reserved concurrency."
      namespace   = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = var.api.function_name }
      statistic   = "Sum", threshold = 0, comparison = "GreaterThanThreshold", period_seconds = 300, periods = 1, missing = "notBreaching"
    }
    jobs-not-started = {
      description = "A job could not be started, ran out of memory or was killed; the dead-letter queue says why."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.batch.dead_letter_queue_name }
      statistic   = "Maximum", threshold = 0, comparison = "GreaterThanThreshold", period_seconds = 300, periods = 1, missing = "notBreaching"
    }
  }

  # Alarms on a value computed from several metrics over a day.
  computed_alarms = {
    workflow-failures = {
      description = "More than 10 % of the day's workflows failed."
      formula     = "100 * failures / runs", threshold = 10
      metrics     = { failures = { name = "WorkflowFailures", statistic = "Sum" }, runs = { name = "WorkflowRuns", statistic = "Sum" } }
    }
    experiment-failures = {
      description = "More than 5 % of the day's experiments failed."
      formula     = "100 * failures / runs", threshold = 5
      metrics     = { failures = { name = "ExperimentFailures", statistic = "Sum" }, runs = { name = "ExperimentRuns", statistic = "Sum" } }
    }
    job-memory = {
      description = "A job used more than 8 GiB of memory."
      formula     = "MAX(METRICS())", threshold = 8192
      metrics     = { workflow = { name = "WorkflowPeakMemoryMiB", statistic = "Maximum" }, experiment = { name = "ExperimentPeakMemoryMiB", statistic = "Maximum" } }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  period              = each.value.period_seconds
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "computed" {
  for_each = local.computed_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "value"
    label       = each.value.description
    expression  = each.value.formula
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = var.metrics_namespace
        metric_name = metric_query.value.name
        stat        = metric_query.value.statistic
        period      = local.day_seconds
      }
    }
  }
}
