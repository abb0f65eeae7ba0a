mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                     = "cabstand-test"
  schedule_group           = "cabstand-test"
  database_id              = "cabstand-test-mlflow"
  permissions_boundary_arn = null
}

run "off_until_make_sleep" {
  command = plan

  module {
    source = "./modules/sleep"
  }

  assert {
    condition     = aws_scheduler_schedule.stay_asleep.state == "DISABLED" && aws_scheduler_schedule.stay_asleep.name == "cabstand-test-stay-asleep"
    error_message = "only `make sleep`, which finds it by its name, may enable it"
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.stay_asleep.target[0].input) == { DbInstanceIdentifier = "cabstand-test-mlflow" }
    error_message = "it must stop the one database"
  }

  assert {
    condition     = aws_scheduler_schedule.stay_asleep.target[0].retry_policy[0].maximum_retry_attempts == 0 && length(aws_scheduler_schedule.stay_asleep.target[0].dead_letter_config) == 0
    error_message = "a database that is already stopped must not set off the dead-letter alarm"
  }
}
