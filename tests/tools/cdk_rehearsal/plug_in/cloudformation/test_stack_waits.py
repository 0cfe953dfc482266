import json
import uuid

from cdk_rehearsal.embedded_aws import EmbeddedAws


def test_a_stack_is_described_when_it_is_done(embedded_aws: EmbeddedAws) -> None:
    cloudformation = embedded_aws.client("cloudformation")
    # One of the types that is made off the emulator's event loop, so that it takes a moment.
    gateway = {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}}
    template = json.dumps({"Resources": {f"Address{number}": gateway for number in range(20)}})
    for _ in range(3):
        stack = f"waited-{uuid.uuid4().hex[:6]}"
        cloudformation.create_stack(StackName=stack, TemplateBody=template)
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        assert described["StackStatus"] == "CREATE_COMPLETE"
