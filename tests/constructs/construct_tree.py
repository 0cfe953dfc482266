"""What a test asks the tree of constructs for."""

import aws_cdk as cdk
from constructs import Construct, IConstruct


def logical_id(construct: IConstruct) -> str:
    """Of a construct's resource, as a template names it."""
    resource = construct.node.default_child
    assert isinstance(resource, cdk.CfnElement), construct.node.path
    return cdk.Stack.of(construct).get_logical_id(resource)


def sibling(stack: cdk.Stack, id: str) -> cdk.Stack:
    """Another stack of the same app."""
    app = stack.node.root
    assert isinstance(app, Construct)
    return cdk.Stack(app, id)
