# A person reads about each decision to look or to retrain, and what came of it, in the words of the event.
locals {
  retraining_messages = {
    inspection-wanted  = { event = "Inspection wanted", text = "somebody should look at <problem>: <reason>" }
    retraining-wanted  = { event = "Retraining wanted", text = "<problem> is being retrained: <reason>" }
    retraining-done    = { event = "Retraining done", text = "the retrained <problem> is in service: <reason>" }
    retraining-refused = { event = "Retraining refused", text = "the retrained <problem> is refused, and the model in service stays: <reason>" }
  }
}

resource "aws_cloudwatch_event_rule" "retraining_message" {
  for_each = local.retraining_messages

  name           = "${var.name}-${each.key}"
  description    = "Tell a person: ${each.value.event}."
  event_bus_name = var.batch.event_bus_name

  event_pattern = jsonencode({
    source      = ["cabstand.monitor"]
    detail-type = [each.value.event]
  })
}

resource "aws_cloudwatch_event_target" "retraining_message" {
  for_each = local.retraining_messages

  rule           = aws_cloudwatch_event_rule.retraining_message[each.key].name
  event_bus_name = var.batch.event_bus_name
  target_id      = "person"
  arn            = aws_sns_topic.alarms.arn

  # EventBridge wants the quotes, and sends them along.
  input_transformer {
    input_paths    = { problem = "$.detail.problem", key = "$.detail.key", reason = "$.detail.reason" }
    input_template = "\"${var.name}: ${each.value.text}. Decision <key>.\""
  }

  dead_letter_config {
    arn = var.batch.dead_letter_queue_arn
  }
}
