# What EventBridge Scheduler accepts. AWS checks an expression only when the schedule is created, and an emulator never does.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
locals {
  weekday = "(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"

  cron_values = {
    minute  = "[0-5]?[0-9]"
    hour    = "(?:[01]?[0-9]|2[0-3])"
    day     = "(?:0?[1-9]|[12][0-9]|3[01])"
    month   = "(?:0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
    weekday = local.weekday
    year    = "(?:19[7-9][0-9]|2[01][0-9]{2})"
  }

  # A list of values and ranges, each with an optional step.
  cron_lists = {
    for name, value in local.cron_values : name => replace("X(?:,X)*", "X", "(?:\\*|${value}(?:-${value})?)(?:/[1-9][0-9]*)?")
  }

  # One of day and weekday is `?`. The last day (L), the nearest weekday (15W) and the second Monday (MON#2) stand alone.
  cron_days     = "(?:${local.cron_lists.day}|L|LW|L-(?:[1-9]|[12][0-9]|30)|(?:[1-9]|[12][0-9]|3[01])W)"
  cron_weekdays = "(?:${local.cron_lists.weekday}|L|${local.weekday}L|${local.weekday}#[1-5])"
  cron_dates    = "(?:${local.cron_days} ${local.cron_lists.month} \\?|\\? ${local.cron_lists.month} ${local.cron_weekdays})"

  schedule_pattern = format(
    "^(?:%s|%s|%s)$",
    "cron\\(${local.cron_lists.minute} ${local.cron_lists.hour} ${local.cron_dates} ${local.cron_lists.year}\\)",
    "rate\\([1-9][0-9]* (?:minute|hour|day)s?\\)",
    "at\\(20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\)",
  )

  # The names of the IANA time zone database.
  time_zones = toset(split("\n", trimspace(file("${path.module}/time_zones.txt"))))
}
