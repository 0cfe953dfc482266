"""The rules of cdk-nag for the reference system and the examples: `synth` fails on an unacknowledged finding."""

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks

NAG_PACKS = (AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks)


def check_with_cdk_nag(app: cdk.App) -> None:
    """Checks every stack of `app` at synthesis."""
    for pack in NAG_PACKS:
        cdk.Validations.of(app).add_plugins(pack(app))
