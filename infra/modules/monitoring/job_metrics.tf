# Each job ends with one JSON log line: event job_finished, job, status, wall_s, peak_rss_mb. These filters turn it into metrics. A
# metric from several log groups is one metric, billed only for the hours in which a job ran.
locals {
  job_filters = merge([
    for task, kind in local.catalogue.kinds : {
      for measure, how in local.catalogue.measures : "${task}/${measure}" => merge(how, { group = var.batch.task_log_groups[task], metric = "${kind}${measure}" })
    }
  ]...)
}

resource "aws_cloudwatch_log_metric_filter" "job" {
  for_each = local.job_filters

  name           = replace(each.key, "/", "-")
  log_group_name = each.value.group
  pattern        = each.value.pattern

  metric_transformation {
    namespace = var.metrics_namespace
    name      = each.value.metric
    value     = each.value.value
    unit      = each.value.unit
  }
}

# The monitor has a metric of its own, because its silence is a fault.
resource "aws_cloudwatch_log_metric_filter" "monitor" {
  name           = "monitor-succeeded"
  log_group_name = var.batch.task_log_groups["monitor"]
  pattern        = "{ $.event = \"job_finished\" && $.status = \"succeeded\" }"

  metric_transformation {
    namespace = var.metrics_namespace
    name      = "MonitorRuns"
    value     = "1"
    unit      = "Count"
  }
}
