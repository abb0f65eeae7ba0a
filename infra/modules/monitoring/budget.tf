locals {
  budget_messages = {
    spent    = { type = "ACTUAL", percent = 80 }
    forecast = { type = "FORECASTED", percent = 100 }
  }
}

resource "aws_budgets_budget" "monthly" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = format("%.1f", var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  # Every resource has this tag, but a budget sees it only once it is activated as a cost allocation tag. Until then the budget counts
  # the whole account, from the first day.
  dynamic "cost_filter" {
    for_each = var.budget_by_tag ? [format("user:Deployment$%s", var.name)] : []

    content {
      name   = "TagKeyValue"
      values = [cost_filter.value]
    }
  }

  dynamic "notification" {
    for_each = local.budget_messages

    content {
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value.percent
      threshold_type            = "PERCENTAGE"
      notification_type         = notification.value.type
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }
}
