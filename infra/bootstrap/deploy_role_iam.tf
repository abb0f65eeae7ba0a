locals {
  own_roles    = "arn:aws:iam::${local.account_id}:role/${var.project}-*"
  own_policies = "arn:aws:iam::${local.account_id}:policy/${var.project}-*"
}

# The deploy role creates roles, so it could create a stronger one for itself. Therefore every role that it creates or changes must
# carry the boundary, and it cannot change the boundary, GitHub's roles or their policies.
data "aws_iam_policy_document" "deploy_roles" {
  # checkov:skip=CKV_AWS_109: limited to the project's names and to the boundary; see CarryTheBoundary and NotItself.
  # checkov:skip=CKV2_AWS_40: the same; no statement is iam:*.
  statement {
    sid       = "CarryTheBoundary"
    actions   = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = [local.own_roles]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid = "ManageOwnRoles"
    actions = [
      "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ]
    resources = [local.own_roles]
  }

  statement {
    sid = "ManageOwnPoliciesAndProfiles"
    actions = [
      "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeleteInstanceProfile",
      "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagPolicy",
      "iam:UntagInstanceProfile", "iam:UntagPolicy",
    ]
    resources = [local.own_policies, "arn:aws:iam::${local.account_id}:instance-profile/${var.project}-*"]
  }

  statement {
    sid       = "HandOverOwnRoles"
    actions   = ["iam:PassRole"]
    resources = [local.own_roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "events.amazonaws.com", "firehose.amazonaws.com", "lambda.amazonaws.com",
        "logs.amazonaws.com", "scheduler.amazonaws.com", "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  statement {
    sid       = "FirstUseOfServices"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:aws:iam::${local.account_id}:role/aws-service-role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["ecs.amazonaws.com", "ops.apigateway.amazonaws.com", "rds.amazonaws.com"]
    }
  }

  statement {
    sid    = "NotItself"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary",
      "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:SetDefaultPolicyVersion",
      "iam:UpdateAssumeRolePolicy",
    ]
    resources = [
      aws_iam_policy.boundary.arn,
      aws_iam_role.plan.arn,
      aws_iam_role.release_plan.arn,
      aws_iam_role.deploy.arn,
      aws_iam_role.images.arn,
      aws_iam_role.run.arn,
      "arn:aws:iam::${local.account_id}:policy/${var.project}-deploy-*",
    ]
  }

  # No role may lose the boundary.
  statement {
    sid       = "KeepTheBoundary"
    effect    = "Deny"
    actions   = ["iam:DeleteRolePermissionsBoundary"]
    resources = [local.own_roles]
  }
}
