import json
import uuid

import aws_cdk as cdk
from aws_cdk import RemovalPolicy
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.review import ReviewQueue


def test_the_table_is_deployed_as_it_is_declared(embedded_aws):
    stack = cdk.Stack(cdk.App(), "Stack", synthesizer=cdk.BootstraplessSynthesizer())
    reviews = ReviewQueue(stack, "Reviews", removal_policy=RemovalPolicy.DESTROY)
    cdk.CfnOutput(stack, "TableName", value=reviews.table.table_name)
    name = f"reviews-{uuid.uuid4().hex}"
    formation = embedded_aws.client("cloudformation")
    formation.create_stack(StackName=name, TemplateBody=json.dumps(Template.from_stack(stack).to_json()))
    formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    ((output,),) = [one["Outputs"] for one in formation.describe_stacks(StackName=name)["Stacks"]]
    dynamodb = embedded_aws.client("dynamodb")
    table = dynamodb.describe_table(TableName=output["OutputValue"])["Table"]
    (index,) = table["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["queue", "priority"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    formation.delete_stack(StackName=name)
