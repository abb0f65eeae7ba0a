"""Corrections of answers in which moto differs from AWS."""

from __future__ import annotations

import threading
from typing import Any

_LOCK = threading.Lock()


def conditional_deny() -> None:
    """S3: ignore a conditional Deny of a bucket policy.

    The TLS-only policy of each bucket is such a Deny. moto ignores its condition, and answers 403 to every later read
    and write. The emulator speaks plain HTTP on the loopback interface, where there is nothing to deny.
    """
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    stock = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(self: Any, *args: Any, **kwargs: Any) -> Any:
        statement = self._statement
        if statement.get("Effect") == "Deny" and statement.get("Condition"):
            return PermissionResult.NEUTRAL
        return stock(self, *args, **kwargs)

    IAMPolicyStatement.is_action_permitted = is_action_permitted


def function_code() -> None:
    """Lambda: put the zip of a version where GetFunction says that it lies, in a bucket of Lambda's own account.

    moto names an object that does not exist, or only in another bucket and under another version.
    """
    from moto.awslambda.models import LambdaFunction
    from moto.s3.models import s3_backends

    stock = LambdaFunction.get_code

    def get_code(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = stock(self)
        if answer.get("Code", {}).get("RepositoryType") == "S3":
            bucket, key = f"awslambda-{self.region}-tasks", self.code_digest.removeprefix("sha256:")
            store = s3_backends["000000000000"][self.partition]
            with _LOCK:
                if bucket not in store.buckets:
                    store.create_bucket(bucket, self.region)
                if key not in store.buckets[bucket].keys:
                    store.put_object(bucket, key, self.code_bytes)
            answer["Code"]["Location"] = f"https://{bucket}.s3.{self.region}.amazonaws.com/{key}"
        return answer

    LambdaFunction.get_code = get_code


def instance_groups() -> None:
    """EC2: give a new instance without security groups those of its first network interface.

    The provider sets them there whenever the instance has a public address; without groups on the instance, every plan
    would add them again.
    """
    from moto.ec2.models.instances import Instance

    stock = Instance.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        if not self.security_groups and self.nics:
            self.security_groups = list(self.nics[0].group_set)

    Instance.__init__ = init


def managed_secret() -> None:
    """RDS: keep the master user's managed secret when ModifyDBInstance requests it a second time, as AWS does.

    The provider does so for every database that it imports; moto creates another secret, and whatever was planned with
    the ARN of the first is wrong.
    """
    from moto.rds.models import DBInstance

    stock = DBInstance.update

    def update(self: Any, manage_master_user_password: bool | None = None, **others: Any) -> None:
        again = manage_master_user_password is True and self.manage_master_user_password
        stock(self, manage_master_user_password=None if again else manage_master_user_password, **others)

    DBInstance.update = update


def moved_label() -> None:
    """Secrets Manager: return the version to which the label AWSCURRENT was moved; moto returns the one that had it.

    `cabstand keys` writes by moving the label, because Secrets Manager refuses the second of two concurrent moves: here
    they are executed one after the other.
    """
    from moto.secretsmanager.models import SecretsManagerBackend

    stock = SecretsManagerBackend.update_secret_version_stage

    def update_secret_version_stage(
        self: Any, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        with _LOCK:
            answer: tuple[str, str] = stock(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
            if version_stage == "AWSCURRENT" and move_to_version_id:
                self.secrets[secret_id].default_version_id = move_to_version_id
        return answer

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage


def rule_changes() -> None:
    """EC2: accept changes of a security group rule for all protocols without ports, as AWS does.

    The provider makes such a change when an apply imports a group that a killed run left with the default egress rule.
    """
    from moto.ec2.models.security_groups import SecurityGroupBackend

    stock = SecurityGroupBackend.modify_security_group_rules

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        for rule in rules.values():
            if rule.get("IpProtocol") == "-1":
                rule |= {port: -1 for port in ("FromPort", "ToPort") if rule.get(port) is None}
        stock(self, group_id, rules)

    SecurityGroupBackend.modify_security_group_rules = modify_security_group_rules


def rule_descriptions() -> None:
    """EC2: return the description of a security group rule whose peer is another group.

    moto stores it but returns only those of rules whose peer is an address range, so every plan would add it again.
    """
    from moto.ec2.models.security_groups import SecurityGroupRule

    def description(self: Any) -> str | None:
        found: str | None = self.ip_range.get("Description") or self.source_group.get("Description")
        return found

    SecurityGroupRule.description = property(description)


def schedule_checks() -> None:
    """EventBridge: refuse the schedule expressions and time zones that AWS refuses; moto stores any."""
    from moto.core.exceptions import JsonRESTError
    from moto.events.models import EventsBackend
    from moto.scheduler.exceptions import ValidationException
    from moto.scheduler.models import Schedule

    from cabstand.errors import ConfigError
    from cabstand.local.clock.expressions import parse

    stock_init, stock_update, stock_rule = Schedule.__init__, Schedule.update, EventsBackend.put_rule

    def check(given: dict[str, Any]) -> None:
        try:
            parse(given["schedule_expression"], given["schedule_expression_timezone"] or "UTC")
        except ConfigError as error:
            raise ValidationException(f"Invalid Schedule Expression {error}.") from None

    def init(self: Any, *args: Any, **given: Any) -> None:
        check(given)
        stock_init(self, *args, **given)

    def update(self: Any, **given: Any) -> None:
        check(given)
        stock_update(self, **given)

    def put_rule(self: Any, *args: Any, **given: Any) -> Any:
        try:
            if expression := given.get("scheduled_expression"):
                parse(expression, of_rule=True)
        except ConfigError as error:
            raise JsonRESTError("ValidationException", f"Parameter ScheduleExpression is not valid. {error}") from None
        return stock_rule(self, *args, **given)

    Schedule.__init__, Schedule.update, EventsBackend.put_rule = init, update, put_rule


def snap_start() -> None:
    """Lambda: store the SnapStart setting of CreateFunction and UpdateFunctionConfiguration.

    The provider reads it back; moto always reports it as off, so every plan would set it again.
    """
    from moto.awslambda.models import LambdaFunction

    stock_init = LambdaFunction.__init__
    stock_update = LambdaFunction.update_configuration
    stock_get = LambdaFunction.get_configuration

    def init(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        stock_init(self, account_id, spec, *args, **kwargs)
        self.snap_start = spec.get("SnapStart") or {}

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> Any:
        self.snap_start = config_updates.get("SnapStart") or self.snap_start
        return stock_update(self, config_updates)

    def get_configuration(self: Any, *args: Any, **kwargs: Any) -> Any:
        configuration = stock_get(self, *args, **kwargs)
        configuration["SnapStart"].update(self.snap_start)
        return configuration

    LambdaFunction.__init__ = init
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.get_configuration = get_configuration
