# What applying infra/ needs, one policy for each concern. Writes are listed one by one and limited to the project's names where
# AWS supports that. Reads use wildcards (Describe, Get, List): they change nothing, and each release of the provider adds some.
locals {
  deploy_policies = {
    read    = data.aws_iam_policy_document.deploy_read.json
    network = data.aws_iam_policy_document.deploy_network.json
    storage = data.aws_iam_policy_document.deploy_storage.json
    compute = data.aws_iam_policy_document.deploy_compute.json
    service = data.aws_iam_policy_document.deploy_service.json
    roles   = data.aws_iam_policy_document.deploy_roles.json
  }
}

resource "aws_iam_policy" "deploy" {
  for_each = local.deploy_policies

  name        = "${var.project}-deploy-${each.key}"
  description = "Deploy role: ${each.key}."
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = local.deploy_policies

  role       = aws_iam_role.deploy.name
  policy_arn = aws_iam_policy.deploy[each.key].arn
}

data "aws_iam_policy_document" "deploy_read" {
  # checkov:skip=CKV_AWS_356: reads of the control plane; no data, no secret value.
  statement {
    sid = "ReadControlPlane"
    actions = [
      "apigateway:GET", "budgets:ListTagsForResource", "budgets:ViewBudget",
      "cloudwatch:Describe*", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
      "ec2:Describe*", "ecr:Describe*", "ecr:ListTagsForResource", "ecs:Describe*", "ecs:List*", "events:Describe*", "events:List*",
      "firehose:Describe*", "firehose:List*", "iam:Get*", "iam:List*", "lambda:Get*", "lambda:List*",
      "logs:Describe*", "logs:List*", "rds:Describe*", "rds:List*", "scheduler:Get*", "scheduler:List*",
      "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "sns:Get*", "sns:List*",
      "sqs:Get*", "sqs:List*",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ReadNameOfServerImage"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:aws:ssm:${var.region}::parameter/aws/service/ami-amazon-linux-latest/*"]
  }
}

data "aws_iam_policy_document" "deploy_network" {
  # checkov:skip=CKV_AWS_111: EC2 networking is limited to one region; its parts have no names to limit it to.
  # checkov:skip=CKV_AWS_356: the same.
  # checkov:skip=CKV_AWS_109: no permission on roles is in here.
  statement {
    sid = "ManageNetworkAndServer"
    actions = [
      "ec2:AllocateAddress", "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress",
      "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRoute",
      "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
      "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable",
      "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
      "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifyInstanceAttribute",
      "ec2:ModifyInstanceMetadataOptions", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVolume",
      "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:RevokeSecurityGroupEgress",
      "ec2:RevokeSecurityGroupIngress", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }
}

data "aws_iam_policy_document" "deploy_storage" {
  statement {
    sid = "ManageOwnBuckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetAccelerateConfiguration",
      "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetObject", "s3:GetObjectTagging",
      "s3:GetObjectVersion", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListBucketVersions",
      "s3:AbortMultipartUpload", "s3:PutBucketLogging", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock",
      "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
      "s3:PutObject", "s3:PutObjectTagging",
    ]
    resources = ["arn:aws:s3:::${var.project}-*"]
  }

  statement {
    sid = "ManageOwnDatabase"
    actions = [
      "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBSnapshot", "rds:CreateDBSubnetGroup", "rds:DeleteDBInstance",
      "rds:DeleteDBSubnetGroup", "rds:ModifyDBInstance", "rds:ModifyDBSubnetGroup", "rds:RemoveTagsFromResource",
    ]
    resources = [for kind in ["db", "subgrp", "snapshot"] : format(local.own, "rds", "${kind}:${var.project}-*")]
  }

  # The option and parameter groups of RDS itself, which a database without its own uses.
  statement {
    sid       = "UseDefaultGroups"
    actions   = ["rds:CreateDBInstance", "rds:ModifyDBInstance"]
    resources = [for kind in ["og", "pg"] : format(local.own, "rds", "${kind}:default*")]
  }

  # The provider reads a secret's version back, so the role can read the secrets that it creates, but not RDS's managed secret.
  statement {
    sid = "ManageOwnSecrets"
    actions = [
      "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
      "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [format(local.own, "secretsmanager", "secret:${var.project}-*")]
  }

  # RDS creates its managed master secret with the caller's permissions.
  statement {
    sid       = "LetRdsMakeItsSecret"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
    resources = [format(local.own, "secretsmanager", "secret:rds!db-*")]
  }

  # RDS looks up the key that encrypts that secret, and the one that encrypts the database.
  statement {
    sid       = "FindKeysOfServices"
    actions   = ["kms:DescribeKey"]
    resources = [format(local.own, "kms", "key/*")]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/aws/rds", "alias/aws/secretsmanager"]
    }
  }

  statement {
    sid       = "MakePasswords"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "deploy_compute" {
  statement {
    sid = "ManageOwnTasksAndSchedules"
    actions = [
      "ecs:CreateCluster", "ecs:DeleteCluster", "ecs:PutClusterCapacityProviders", "ecs:TagResource", "ecs:UntagResource", "ecs:UpdateCluster",
      "ecs:UpdateClusterSettings", "scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule",
      "scheduler:DeleteScheduleGroup", "scheduler:TagResource", "scheduler:UntagResource", "scheduler:UpdateSchedule",
      "events:CreateEventBus", "events:DeleteEventBus", "events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
      "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
    ]
    resources = concat(
      [for kind in ["cluster", "task-definition"] : format(local.own, "ecs", "${kind}/${var.project}-*")],
      [for kind in ["schedule", "schedule-group"] : format(local.own, "scheduler", "${kind}/${var.project}-*")],
      [for kind in ["event-bus", "rule"] : format(local.own, "events", "${kind}/${var.project}-*")],
      [format(local.own, "sqs", "${var.project}-*")],
    )
  }

  # Registering and deregistering a task definition cannot be limited to a resource.
  statement {
    sid       = "RegisterTasks"
    actions   = ["ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    sid = "ManageOwnFunction"
    actions = [
      "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency", "lambda:PublishVersion", "lambda:PutFunctionConcurrency", "lambda:RemovePermission",
      "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    ]
    resources = [format(local.own, "lambda", "function:${var.project}-*")]
  }

  # A deployment compares the function's two versions by their log.
  statement {
    sid       = "ReadLogOfFunction"
    actions   = ["logs:FilterLogEvents"]
    resources = [format(local.own, "logs", "log-group:/aws/lambda/${var.project}-*")]
  }

  statement {
    sid = "ManageOwnStream"
    actions = [
      "firehose:CreateDeliveryStream", "firehose:DeleteDeliveryStream", "firehose:StartDeliveryStreamEncryption", "firehose:StopDeliveryStreamEncryption",
      "firehose:TagDeliveryStream", "firehose:UntagDeliveryStream", "firehose:UpdateDestination",
    ]
    resources = [format(local.own, "firehose", "deliverystream/${var.project}-*")]
  }
}

data "aws_iam_policy_document" "deploy_service" {
  # checkov:skip=CKV_AWS_111: log deliveries and saved queries have no resources.
  # checkov:skip=CKV_AWS_356: the same.
  statement {
    sid       = "ManageHttpApi"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource", "apigateway:UntagResource"]
    resources = [for path in ["apis", "apis/*", "domainnames", "domainnames/*", "tags/*"] : "arn:aws:apigateway:${var.region}::/${path}"]
  }

  statement {
    sid = "ManageOwnLogs"
    actions = [
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteMetricFilter", "logs:DeleteRetentionPolicy", "logs:DeleteSubscriptionFilter",
      "logs:PutMetricFilter", "logs:PutRetentionPolicy", "logs:PutSubscriptionFilter", "logs:TagResource", "logs:UntagResource",
    ]
    resources = [
      for prefix in ["/${var.project}/", "/aws/lambda/${var.project}-", "/aws/vendedlogs/${var.project}-", "/aws/rds/instance/${var.project}-"] :
      format(local.own, "logs", "log-group:${prefix}*")
    ]
  }

  statement {
    sid = "ManageLogDeliveriesAndQueries"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DeleteQueryDefinition", "logs:GetLogDelivery", "logs:PutQueryDefinition",
      "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]
    resources = ["*"]
  }

  statement {
    sid = "ManageOwnAlarms"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
    ]
    resources = [format(local.own, "cloudwatch", "alarm:${var.project}-*"), "arn:aws:cloudwatch::${local.account_id}:dashboard/${var.project}-*"]
  }

  statement {
    sid       = "ManageOwnTopic"
    actions   = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"]
    resources = [format(local.own, "sns", "${var.project}-*")]
  }

  # Ending a subscription cannot be limited to a topic.
  statement {
    sid       = "Unsubscribe"
    actions   = ["sns:Unsubscribe"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    sid       = "ManageOwnBudget"
    actions   = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"]
    resources = ["arn:aws:budgets::${local.account_id}:budget/${var.project}-*"]
  }
}
