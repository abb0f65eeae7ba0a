"""The part that runs MLflow: the tracking module's set-up script, with the applied server's configuration and role."""

from __future__ import annotations

from cabstand.errors import TaskError
from cabstand.local.stack import database, environment, processes, terraform
from cabstand.local.stack.state import Part, State
from cabstand.local.tracking.machine import Machine


def start(state: State) -> Part:
    """Set the machine up, again after a restart, as often as needed: the script ends when the server answers."""
    tree = state.folder / "account"
    machine = machine_of(state)
    machine.make(_settings(state))
    machine.share_python(tree / "requirements/mlflow.txt")
    done = machine.run()
    state.log("mlflow").unlink(missing_ok=True)
    state.log("mlflow").symlink_to(machine.log)
    if done.returncode != 0:
        raise TaskError(" ".join(done.stderr.split())[-400:], where="MLflow", hint=f"see {machine.log}")
    process = processes.known(machine.pid)
    return Part(process.pid, process.started, state.address("mlflow"), note="" if _has_postgres(state) else "on SQLite")


def machine_of(state: State) -> Machine:
    """Return the server's machine."""
    script = state.folder / "account/infra/modules/tracking/files/mlflow_setup.sh"
    return Machine(state.folder / "mlflow", script)


def _settings(state: State) -> dict[str, str]:
    """Return the configuration as applied, with the addresses and the credentials of this machine."""
    settings = database.settings_of_server(state) | environment.marks(state) | _credentials(state)
    settings |= {
        "AWS_ENDPOINT_URL": state.address("emulator"),
        "MLFLOW_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "MLFLOW_DB_HOST": "127.0.0.1",
        "MLFLOW_DB_PORT": str(state.ports["postgres"]),
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": str(state.ports["mlflow"]),
        "MLFLOW_REQUIREMENTS": str(state.folder / "account/requirements/mlflow.txt"),
        "MLFLOW_WORKERS": "1",
        "PGSSLMODE": "disable",
    }
    if not _has_postgres(state):
        settings["MLFLOW_BACKEND_STORE_URI"] = f"sqlite:///{state.folder / 'mlflow.db'}"
    return settings


def _has_postgres(state: State) -> bool:
    return "postgres" in state.parts


def _credentials(state: State) -> dict[str, str]:
    """Return temporary credentials of the server's role, as the metadata service of its instance would."""
    instance = state.facts["outputs"]["mlflow"]["server_id"]
    found = terraform.client(state, "ec2").describe_instances(InstanceIds=[instance])
    profile = found["Reservations"][0]["Instances"][0]["IamInstanceProfile"]["Arn"].rsplit("/", 1)[1]
    role = terraform.client(state, "iam").get_instance_profile(InstanceProfileName=profile)
    arn = role["InstanceProfile"]["Roles"][0]["Arn"]
    answer = terraform.client(state, "sts").assume_role(RoleArn=arn, RoleSessionName=instance, DurationSeconds=43_200)[
        "Credentials"
    ]
    return {
        "AWS_ACCESS_KEY_ID": str(answer["AccessKeyId"]),
        "AWS_SECRET_ACCESS_KEY": str(answer["SecretAccessKey"]),
        "AWS_SESSION_TOKEN": str(answer["SessionToken"]),
    }
