# Added to dev.tfvars on an emulator, together with -var emulator_endpoint=http://127.0.0.1:<port>.
alarm_email = "alarms@example.org"
