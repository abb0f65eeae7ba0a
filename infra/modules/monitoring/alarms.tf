# What is watched, and from which value on, is declared once, for Prometheus and the documentation, too.
locals {
  catalogue   = yamldecode(file("${path.module}/../../../src/cabstand/observability/catalogue.yaml"))
  day_seconds = 86400
  comparisons = { ">" = "GreaterThanThreshold", ">=" = "GreaterThanOrEqualToThreshold", "<" = "LessThanThreshold" }
  thresholds  = var.max_p99_latency_ms == null ? {} : { api-slow = var.max_p99_latency_ms }

  # What the dimensions of the catalogue name.
  resources = {
    api          = var.api.api_id
    function     = var.api.function_name
    server       = var.tracking.server_id
    database     = var.tracking.database_id
    dead_letters = var.batch.dead_letter_queue_name
  }

  watched = {
    for name, alarm in local.catalogue.alarms : name => merge(alarm.cloudwatch, {
      threshold   = lookup(local.thresholds, name, alarm.threshold)
      comparison  = local.comparisons[alarm.comparison]
      description = replace(alarm.meaning, "{threshold}", lookup(local.thresholds, name, alarm.threshold))
    }) if can(alarm.cloudwatch)
  }

  # Alarms on one metric, whose `statistic` is a plain one or a percentile such as p95, and on a value computed over a day.
  alarms          = { for name, alarm in local.watched : name => alarm if can(alarm.metric) }
  computed_alarms = { for name, alarm in local.watched : name => alarm if can(alarm.formula) }
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = try(each.value.namespace, var.metrics_namespace)
  metric_name         = each.value.metric
  dimensions          = { for dimension, resource in try(each.value.dimensions, {}) : dimension => local.resources[resource] }
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
  # Without schedules, the monitor's silence is no fault.
  for_each = { for name, alarm in local.computed_alarms : name => alarm if name != "monitor-silent" || var.monitor_is_scheduled }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  evaluation_periods  = each.value.days
  treat_missing_data  = each.value.missing

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
