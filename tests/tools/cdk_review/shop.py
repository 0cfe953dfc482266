"""A small template with something of everything that a review judges, and what makes an assembly of templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def arn(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}


def handled(**state: Any) -> dict[str, Any]:
    return state | {
        "Retry": [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "MaxAttempts": 4}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Undo"}],
    }


MACHINE = {
    "StartAt": "Charge",
    "TimeoutSeconds": 900,
    "States": {
        "Charge": handled(Type="Task", Resource="arn:aws:states:::lambda:invoke", TimeoutSeconds=60, Next="Serve"),
        "Serve": handled(
            Type="Task",
            Resource="arn:aws:states:::aws-sdk:sagemaker:createEndpointConfig",
            Arguments={
                "EndpointConfigName": "shop",
                "ProductionVariants": [
                    {"VariantName": "primary", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
                ],
                "KmsKeyId": "alias/shop",
            },
            Next="Update",
        ),
        "Update": handled(
            Type="Task",
            Resource="arn:aws:states:::aws-sdk:sagemaker:updateEndpoint",
            Arguments={"DeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "slow"}]}}},
            Next="Done",
        ),
        "Undo": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Failed"},
        "Failed": {"Type": "Fail"},
        "Done": {"Type": "Succeed"},
    },
}
WIDGETS = [
    {
        "type": "metric",
        "properties": {
            "title": "Tasks",
            "metrics": [["AWS/ECS", "CPUUtilization", "ServiceName", "shop", {"stat": "SampleCount", "period": 60}]],
            "annotations": {"horizontal": [{"label": "maximum: 10", "value": 10}]},
        },
    },
    {
        "type": "metric",
        "properties": {"title": "CPU", "metrics": [["AWS/ECS", "CPUUtilization", {"stat": "Average", "period": 60}]]},
    },
]


def alarm(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": "ServiceName", "Value": "shop"}, {"Name": "ClusterName", "Value": "main"}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2,
            "Threshold": 80,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "breaching",
            "AlarmActions": [ref("Alerts")],
        }
        | properties,
    }


def shop() -> dict[str, Any]:
    """The template of a web shop on Fargate."""
    resources: dict[str, Any] = {
        "Alerts": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": ref("Key")}},
        "Key": {
            "Type": "AWS::KMS::Key",
            "DeletionPolicy": "Retain",
            "Properties": {
                "EnableKeyRotation": True,
                "KeyPolicy": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
                            "Action": "kms:*",
                            "Resource": "*",
                        },
                    ]
                },
            },
        },
        "Orders": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn("Key")},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            },
        },
        "Files": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {
                "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"BucketKeyEnabled": True}]},
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True},
                "VersioningConfiguration": {"Status": "Enabled"},
            },
        },
        "FilesPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": ref("Files"),
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": {"AWS": "*"},
                            "Action": "s3:*",
                            "Resource": arn("Files"),
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                    ]
                },
            },
        },
        "Jobs": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "MessageRetentionPeriod": 1209600,
                "RedrivePolicy": {"deadLetterTargetArn": arn("Failed"), "maxReceiveCount": 5},
            },
        },
        "Failed": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ]
                }
            },
        },
        "RolePolicy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "orders",
                "Roles": [ref("Role")],
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
                            "Resource": arn("Orders"),
                        },
                        {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": {"Fn::Sub": "${Files.Arn}/*"}},
                    ]
                },
            },
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "shop",
                "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.0.0.0/8"}],
            },
        },
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Cpu": "512",
                "Memory": "1024",
                "ContainerDefinitions": [
                    {
                        "Name": "web",
                        "Image": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.us-east-1.amazonaws.com/web:" + "a" * 64},
                        "Environment": [{"Name": "TABLE", "Value": ref("Orders")}, {"Name": "COLOUR", "Value": "blue"}],
                        "ReadonlyRootFilesystem": True,
                        "User": "1000",
                        "HealthCheck": {"Command": ["CMD", "true"]},
                        "LogConfiguration": {"LogDriver": "awslogs"},
                    }
                ],
            },
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "TaskDefinition": ref("Task"),
                "LaunchType": "FARGATE",
                "DeploymentConfiguration": {
                    "Alarms": {"AlarmNames": [ref("Slow"), ref("Hot")], "Enable": True, "Rollback": True},
                    "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
                    "MinimumHealthyPercent": 100,
                },
            },
        },
        "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": "internal"}},
        "Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {"Protocol": "HTTPS", "Port": 443}},
        "Count": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {
                "MinCapacity": 2,
                "MaxCapacity": 10,
                "ServiceNamespace": "ecs",
                "ScalableDimension": "ecs:service:DesiredCount",
                "ResourceId": {"Fn::Join": ["/", ["service", "main", {"Fn::GetAtt": ["Service", "Name"]}]]},
                "ScheduledActions": [
                    {
                        "ScheduledActionName": "morning",
                        "Schedule": "cron(0 7 * * ? *)",
                        "ScalableTargetAction": {"MinCapacity": 6},
                    }
                ],
            },
        },
        "Average": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": ref("Count"),
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 60,
                    "ScaleOutCooldown": 60,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            },
        },
        "Spikes": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyType": "StepScaling",
                "ScalingTargetId": ref("Count"),
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "ChangeInCapacity",
                    "Cooldown": 60,
                    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}],
                },
            },
        },
        "Spike": alarm(
            AlarmActions=[ref("Spikes")], EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="missing"
        ),
        "Slow": alarm(MetricName="TargetResponseTime", Threshold=0.5, OKActions=[ref("Alerts")]),
        "Hot": alarm(Threshold=90),
        "Any": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {
                "AlarmRule": {"Fn::Sub": 'ALARM("${Slow}") OR ALARM("${Hot}")'},
                "AlarmActions": [ref("Alerts")],
            },
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 90, "KmsKeyId": arn("Key")}},
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"DefinitionString": json.dumps(MACHINE), "LoggingConfiguration": {"Level": "ALL"}},
        },
        "Nightly": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "State": "ENABLED",
                "ScheduleExpression": "rate(1 day)",
                "Targets": [{"Id": "a", "Arn": ref("Machine"), "DeadLetterConfig": {"Arn": arn("Failed")}}],
            },
        },
        "Board": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardBody": json.dumps({"widgets": WIDGETS})},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"S3Bucket": "assets", "S3Key": "b" * 64 + ".zip"},
                "Environment": {"Variables": {"SECRET_ARN": "arn:aws:secretsmanager:us-east-1:1:secret:x"}},
                "MemorySize": 256,
                "Description": "sends receipts",
            },
        },
        "FunctionVersion0123456789abcdef0123456789abcdef": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": ref("Function")},
        },
        "Firewall": {
            "Type": "AWS::WAFv2::WebACL",
            "Properties": {
                "DefaultAction": {"Allow": {}},
                "Rules": [
                    {"Name": "rate", "Action": {"Block": {}}, "Statement": {"RateBasedStatement": {"Limit": 1000}}}
                ],
            },
        },
    }
    return {"Resources": resources}


def write_assembly(folder: Path, templates: dict[str, dict[str, Any]], *, version: str = "48.0.0") -> Path:
    """A cloud assembly with a stack a template."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = {}
    for name, template in templates.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/us-east-1",
            "properties": {"templateFile": f"{name}.template.json"},
            "displayName": name,
        }
    (folder / "manifest.json").write_text(json.dumps({"version": version, "artifacts": artifacts}))
    return folder
