"""The rules of cdk-nag that the reference system and the examples keep: a finding nobody acknowledged stops `synth`."""

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks

NAG_PACKS = (AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks)


def check_with_cdk_nag(app: cdk.App) -> None:
    """Checks every stack of `app` as it is synthesised."""
    for pack in NAG_PACKS:
        cdk.Validations.of(app).add_plugins(pack(app))
