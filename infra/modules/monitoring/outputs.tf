output "alarm_names" {
  description = "Name of each alarm, by what it watches."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.main : name => alarm.alarm_name },
    { for name, alarm in aws_cloudwatch_metric_alarm.computed : name => alarm.alarm_name },
  )
}

output "dashboard_name" {
  description = "CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.main.dashboard_name
}
