# Added to dev.tfvars where an emulator stands in for AWS; its address is given with -var emulator_endpoint=http://127.0.0.1:<port>.
alarm_email = "alarms@example.org"
