"""Each patch of the emulator is still needed and works.

A probe is true if its call works. If it works on an unpatched moto, the patch is obsolete.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

import function_probes
import task_probes
from cabstand.local.emulator.patches import ALL
from cloud_account import client
from emulator import Clients, deliver, messages, queue

pytestmark = pytest.mark.cloud

STOCK = """
import signal
from moto.core.config import default_user_config
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
default_user_config["lambda"] = {"use_docker": False}
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def stock_url() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", STOCK], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


def budgets(aws: Clients) -> bool:
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    subscriber = {"SubscriptionType": "SNS", "Address": "arn:aws:sns:us-east-1:123456789012:alarms"}
    limit = {"Amount": "60.0", "Unit": "USD"}
    aws("budgets").create_budget(
        AccountId="123456789012",
        Budget={"BudgetName": "probe", "BudgetLimit": limit, "TimeUnit": "MONTHLY", "BudgetType": "COST"},
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": [subscriber]}],
        ResourceTags=[{"Key": "Project", "Value": "cabstand"}],
    )
    answer = aws("budgets").describe_subscribers_for_notification(
        AccountId="123456789012", BudgetName="probe", Notification=notification
    )
    tags = aws("budgets").list_tags_for_resource(ResourceARN="arn:aws:budgets::123456789012:budget/probe")
    return answer["Subscribers"] == [subscriber] and tags["ResourceTags"] == [{"Key": "Project", "Value": "cabstand"}]


def conditional_deny(aws: Clients) -> bool:
    s3 = aws("s3")
    s3.create_bucket(Bucket="probe")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::probe/*"}
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    statement = [deny | {"Condition": condition}]
    s3.put_bucket_policy(Bucket="probe", Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    return bool(s3.put_object(Bucket="probe", Key="key", Body=b"1")["ETag"])


def instance_groups(aws: Clients) -> bool:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/20")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="probe", Description="probe", VpcId=vpc)["GroupId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True}
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, NetworkInterfaces=[interface])["Instances"][0]
    found = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    return [one["GroupId"] for one in found["SecurityGroups"]] == [group]


def log_queries(aws: Clients) -> bool:
    made = aws("logs").put_query_definition(name="probe", queryString="fields @message", logGroupNames=["/probe"])
    found = aws("logs").describe_query_definitions(queryDefinitionNamePrefix="probe")["queryDefinitions"]
    assert aws("logs").delete_query_definition(queryDefinitionId=made["queryDefinitionId"])["success"]
    return [(one["name"], one["logGroupNames"]) for one in found] == [("probe", ["/probe"])]


def managed_secret(aws: Clients) -> bool:
    rds = aws("rds")
    made = rds.create_db_instance(
        DBInstanceIdentifier="probe",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="probe",
        ManageMasterUserPassword=True,
    )["DBInstance"]
    changed = rds.modify_db_instance(DBInstanceIdentifier="probe", ManageMasterUserPassword=True)["DBInstance"]
    rds.delete_db_instance(DBInstanceIdentifier="probe", SkipFinalSnapshot=True)
    return bool(changed["MasterUserSecret"]["SecretArn"] == made["MasterUserSecret"]["SecretArn"])


def moved_label(aws: Clients) -> bool:
    secrets = aws("secretsmanager")
    arn = secrets.create_secret(Name="probe", SecretString="1")["ARN"]
    first = secrets.get_secret_value(SecretId=arn)["VersionId"]
    second = secrets.put_secret_value(SecretId=arn, SecretString="2", VersionStages=["NEXT"])["VersionId"]
    move = {"SecretId": arn, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": first, "MoveToVersionId": second}
    secrets.update_secret_version_stage(**move)
    return bool(secrets.get_secret_value(SecretId=arn)["SecretString"] == "2")


def rule_changes(aws: Clients) -> bool:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="changed", Description="probe", VpcId=vpc)["GroupId"]
    of_the_group = [{"Name": "group-id", "Values": [group]}]
    out = ec2.describe_security_group_rules(Filters=of_the_group)["SecurityGroupRules"][0]
    rule = {"IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0", "Description": "why"}
    change = {"SecurityGroupRuleId": out["SecurityGroupRuleId"], "SecurityGroupRule": rule}
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[change])
    found = ec2.describe_security_group_rules(Filters=of_the_group)["SecurityGroupRules"]
    return [(one["IsEgress"], one["IpProtocol"], one["Description"]) for one in found] == [(True, "-1", "why")]


def rule_descriptions(aws: Clients) -> bool:
    ec2 = aws("ec2")
    group = ec2.create_security_group(GroupName="described", Description="probe")["GroupId"]
    peer = {"GroupId": group, "Description": "why"}
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [peer]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"][0]
    found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[made["SecurityGroupRuleId"]])
    return bool(found["SecurityGroupRules"][0].get("Description") == "why")


def snap_start(aws: Clients) -> bool:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = aws("iam").create_role(RoleName="probe", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): return {}")
    aws("lambda").create_function(
        FunctionName="probe",
        Role=role,
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": package.getvalue()},
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    found = aws("lambda").get_function_configuration(FunctionName="probe")
    return bool(found["SnapStart"]["ApplyOn"] == "PublishedVersions")


def function_code(aws: Clients) -> bool:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = aws("iam").create_role(RoleName="code", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("code.py", "def handler(event, context): return {}")
    zipped = {"ZipFile": package.getvalue()}
    aws("lambda").create_function(
        FunctionName="code", Role=role, Runtime="python3.13", Handler="code.handler", Code=zipped
    )
    location = aws("lambda").get_function(FunctionName="code")["Code"]["Location"].removeprefix("https://")
    bucket, _, rest = location.partition(".s3.")
    found = aws("s3").get_object(Bucket=bucket, Key=rest.partition("/")[2])["Body"].read()
    return bool(found == package.getvalue())


def stage_changes(aws: Clients) -> bool:
    gateway = aws("apigatewayv2")
    api = gateway.create_api(Name="probe", ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    limit = {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 2}
    gateway.update_stage(ApiId=api, StageName="$default", DefaultRouteSettings=limit)
    found = gateway.get_stage(ApiId=api, StageName="$default")
    return bool(found["AutoDeploy"] and found["DefaultRouteSettings"] == limit)


def event_arrays(aws: Clients) -> bool:
    pattern = {"detail": {"containers": {"exitCode": [137], "name": ["task"]}}}
    aws("events").put_rule(Name="arrays", EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule="arrays", Targets=[{"Id": "queue", "Arn": queue(aws, "arrays")}])
    for codes in ([0, 1], [0, 137]):
        containers = [{"exitCode": code, "name": "task"} for code in codes]
        event = {"Source": "probe", "DetailType": "probe", "Detail": json.dumps({"containers": containers})}
        aws("events").put_events(Entries=[event])
    deliver(aws)
    bodies = [one["Body"] for one in messages(aws, "arn:aws:sqs:us-east-1:123456789012:arrays")]
    return len(bodies) == 1 and "137" in bodies[0]


def event_deliveries(aws: Clients) -> bool:
    events, topic = aws("events"), "arn:aws:sns:us-east-1:123456789012:topic"
    first, later, silent = (queue(aws, name) for name in ("first", "later", "silent"))
    for rule, state in (("on", "ENABLED"), ("off", "DISABLED")):
        events.put_rule(Name=rule, EventPattern='{"source": ["deliveries"]}', State=state)
    targets = [("first", first), ("topic", topic), ("later", later)]
    events.put_targets(Rule="on", Targets=[{"Id": name, "Arn": arn} for name, arn in targets])
    events.put_targets(Rule="off", Targets=[{"Id": "silent", "Arn": silent}])
    entry = {"Source": "deliveries", "DetailType": "probe", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    deliver(aws)
    return [len(messages(aws, arn)) for arn in (first, later, silent)] == [1, 1, 0]


def event_inputs(aws: Clients) -> bool:
    events = aws("events")
    events.put_rule(Name="inputs", EventPattern='{"source": ["inputs"]}')
    paths, target = {"key": "$.detail.key"}, {"Id": "queue", "Arn": queue(aws, "inputs")}

    def refused(template: str, **more: str) -> bool:
        given = target | {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}} | more
        try:
            events.put_targets(Rule="inputs", Targets=[given])
        except ClientError as error:
            return error.response["Error"]["Code"] == "ValidationException"
        return False

    good = '{"key": <key>, "rule": "<aws.events.rule-name>"}'
    return refused('"<kye>"') and refused(good, InputPath="$.detail") and not refused(good)


def event_tests(aws: Clients) -> bool:
    event = {"id": "1", "source": "probe", "detail-type": "probe", "account": "123456789012", "region": "us-east-1"}
    event |= {"time": "2026-01-01T00:00:00Z", "resources": [], "detail": {"n": 5}}
    answers = [
        aws("events").test_event_pattern(EventPattern=json.dumps({"detail": {"n": [n]}}), Event=json.dumps(event))
        for n in (5, 6)
    ]
    return [one.get("Result") for one in answers] == [True, False]


def schedule_checks(aws: Clients) -> bool:
    target = {"Arn": queue(aws, "checks"), "RoleArn": "arn:aws:iam::123456789012:role/probe"}

    def refused(name: str, expression: str, zone: str = "UTC") -> bool:
        given = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": zone, "Target": target}
        try:
            aws("scheduler").create_schedule(Name=name, FlexibleTimeWindow={"Mode": "OFF"}, **given)
        except aws("scheduler").exceptions.ValidationException:
            return True
        aws("scheduler").delete_schedule(Name=name)
        return False

    def refused_rule(expression: str) -> bool:
        try:
            aws("events").put_rule(Name="checks", ScheduleExpression=expression)
        except ClientError as error:
            return error.response["Error"]["Code"] == "ValidationException"
        return False

    bad = [("a", "rate(0 days)"), ("b", "cron(nonsense)"), ("c", "cron(0 6 * * ? *)", "Mars/Olympus")]
    good = [("d", "rate(1 hours)"), ("e", "cron(0 6 * * ? *)", "America/New_York")]
    return (
        all(refused(*one) for one in bad)
        and not any(refused(*one) for one in good)
        and refused_rule("rate(2 minute)")
        and not refused_rule("rate(1 minute)")
    )


def alarm_checks(aws: Clients) -> bool:
    alarm = {
        "MetricName": "probe",
        "Namespace": "Probe",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1.0,
    }
    given = {**alarm, "AlarmName": "probe", "Period": 60, "EvaluationPeriods": 1}
    aws("cloudwatch").put_metric_alarm(**given, Statistic="Sum")
    [made] = aws("cloudwatch").describe_alarms(AlarmNames=["probe"])["MetricAlarms"]
    for refused in ({"DatapointsToAlarm": 2}, {"Period": 45}, {"Statistic": "", "ExtendedStatistic": "p101"}):
        wrong = {name: value for name, value in ({**given, "Statistic": "Sum"} | refused).items() if value}
        try:
            aws("cloudwatch").put_metric_alarm(**wrong | {"AlarmName": "wrong"})
        except ClientError:
            continue
        aws("cloudwatch").delete_alarms(AlarmNames=["probe", "wrong"])
        return False
    aws("cloudwatch").delete_alarms(AlarmNames=["probe"])
    return bool(made["StateValue"] == "INSUFFICIENT_DATA")


def metric_data(aws: Clients) -> bool:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    rides = [{"MetricName": "Rides", "Value": float(value), "Timestamp": now} for value in range(1, 101)]
    other = {"MetricName": "Rides", "Value": 1e6, "Timestamp": now, "Dimensions": [{"Name": "Zone", "Value": "1"}]}
    aws("cloudwatch").put_metric_data(Namespace="Probe", MetricData=[*rides, other])
    stat = {"Metric": {"Namespace": "Probe", "MetricName": "Rides"}, "Period": 60, "Stat": "p95"}
    queries = [{"Id": "p95", "MetricStat": stat, "ReturnData": False}, {"Id": "half", "Expression": "p95 / 2"}]
    span = {"StartTime": now - timedelta(minutes=1), "EndTime": now + timedelta(minutes=1)}
    found = aws("cloudwatch").get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    return [one["Values"] for one in found] == [[47.5]]


def metric_filters(aws: Clients) -> bool:
    logs, now = aws("logs"), datetime.now(UTC)
    logs.create_log_group(logGroupName="measured")
    logs.create_log_stream(logGroupName="measured", logStreamName="one")
    for name in ("First", "Second"):  # the second replaces the first
        how = {"metricName": name, "metricNamespace": "Filtered", "metricValue": "$.n"}
        logs.put_metric_filter(
            logGroupName="measured", filterName="probe", filterPattern="{ $.n > 1 }", metricTransformations=[how]
        )
    about = {"CloudWatchMetrics": [{"Namespace": "Embedded", "Dimensions": [[]], "Metrics": [{"Name": "n"}]}]}
    lines = [{"n": 1}, {"n": 5}, {"n": 7, "_aws": about}]
    events = [{"timestamp": int(now.timestamp() * 1000), "message": json.dumps(line)} for line in lines]
    logs.put_log_events(logGroupName="measured", logStreamName="one", logEvents=events)
    span = {"StartTime": now - timedelta(minutes=1), "EndTime": now + timedelta(minutes=1)}
    logs.delete_log_group(logGroupName="measured")
    found = []
    for namespace, metric in (("Filtered", "First"), ("Filtered", "Second"), ("Embedded", "n")):
        how = {"Namespace": namespace, "MetricName": metric, "Period": 3600, "Statistics": ["Sum"]}
        data = aws("cloudwatch").get_metric_statistics(**how, **span)["Datapoints"]
        found.append([one["Sum"] for one in data])
    return found == [[], [12.0], [7.0]]


def log_deliveries(aws: Clients) -> bool:
    s3, logs = aws("s3"), aws("logs")
    s3.create_bucket(Bucket="delivered")
    role = "arn:aws:iam::123456789012:role/probe"
    where = {"BucketARN": "arn:aws:s3:::delivered", "RoleARN": role, "Prefix": "lines/date=!{timestamp:yyyy-MM-dd}/"}
    stream = aws("firehose").create_delivery_stream(
        DeliveryStreamName="probe", ExtendedS3DestinationConfiguration=where
    )["DeliveryStreamARN"]
    logs.create_log_group(logGroupName="delivered")
    logs.create_log_stream(logGroupName="delivered", logStreamName="one")
    logs.put_subscription_filter(
        logGroupName="delivered", filterName="probe", filterPattern="{ $.n > 1 }", destinationArn=stream, roleArn=role
    )
    now = datetime.now(UTC)
    events = [{"timestamp": int(now.timestamp() * 1000), "message": json.dumps({"n": n})} for n in (1, 5)]
    logs.put_log_events(logGroupName="delivered", logStreamName="one", logEvents=events)
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="delivered")["Contents"]]
    if len(keys) != 1 or not keys[0].startswith("lines/date=20"):
        return False
    body = gzip.decompress(s3.get_object(Bucket="delivered", Key=keys[0])["Body"].read())
    return [one["message"] for one in json.loads(body)["logEvents"]] == ['{"n": 5}']


PROBES = (
    {
        probe.__name__: probe
        for probe in (
            budgets,
            conditional_deny,
            event_arrays,
            event_deliveries,
            event_inputs,
            event_tests,
            instance_groups,
            log_deliveries,
            log_queries,
            managed_secret,
            function_code,
            moved_label,
            rule_changes,
            rule_descriptions,
            schedule_checks,
            snap_start,
            alarm_checks,
            metric_data,
            metric_filters,
            stage_changes,
        )
    }
    | task_probes.PROBES
    | function_probes.PROBES
)


def test_each_patch_has_a_probe() -> None:
    assert PROBES.keys() == ALL.keys()


@pytest.mark.parametrize("name", PROBES)
def test_stock_moto_needs_it(name: str, stock_url: str) -> None:
    try:
        closed = PROBES[name](lambda service: client(stock_url, service))
    except (ClientError, ParamValidationError, ResponseParserError):
        closed = False
    assert not closed, f"moto can do this now: delete {name} in cabstand/local/emulator/patches"


@pytest.mark.parametrize("name", PROBES)
def test_the_patch_closes_it(name: str, emulator_url: str) -> None:
    assert PROBES[name](lambda service: client(emulator_url, service))
