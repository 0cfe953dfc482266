from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_fargate_sagemaker._checkov_skips import skip_checkov


def metadata(stack: cdk.Stack) -> dict[str, Any]:
    (queue,) = assertions.Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
    found: dict[str, Any] = queue["Metadata"]
    return found


def test_a_reason_stands_in_the_template_in_the_form_that_checkov_reads(stack: cdk.Stack) -> None:
    reason = "SQS encrypts it with its own key."
    skip_checkov(sqs.Queue(stack, "Queue"), {"CKV_AWS_27": reason})
    assert metadata(stack)["checkov"] == {"skip": [{"id": "CKV_AWS_27", "comment": reason}]}


def test_reasons_that_are_there_stay(stack: cdk.Stack) -> None:
    queue = sqs.Queue(stack, "Queue")
    resource = queue.node.default_child
    assert isinstance(resource, cdk.CfnResource)
    resource.add_metadata("checkov", {"skip": [{"id": "CKV_AWS_1", "comment": "The app's own."}]})
    skip_checkov(queue, {"CKV_AWS_2": "The construct's."})
    skip_checkov(queue, {"CKV_AWS_3": "Another one."})
    assert [skip["id"] for skip in metadata(stack)["checkov"]["skip"]] == ["CKV_AWS_1", "CKV_AWS_2", "CKV_AWS_3"]


def test_fails_when_the_resource_is_made_elsewhere(stack: cdk.Stack) -> None:
    queue = sqs.Queue.from_queue_arn(stack, "Theirs", "arn:aws:sqs:us-east-1:123456789012:theirs")
    assert isinstance(queue, Construct)
    with pytest.raises(ValueError, match=r"construct: got 'Stack/Theirs', allowed: a construct with a resource"):
        skip_checkov(queue, {"CKV_AWS_27": "It is encrypted."})
