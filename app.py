"""Entry of the `cdk` command: settings in, the reference system's stacks out."""

import sys

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks.network_stack import NetworkStack
from stacks.settings import SettingsError, load_settings

app = cdk.App()
try:
    settings = load_settings(app.node.get_all_context())
except SettingsError as error:
    sys.exit(f"settings: {error}")
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
environment = cdk.Environment(region=settings.region)
NetworkStack(app, f"moderation-{settings.environment}-network", settings=settings, env=environment)
app.synth()
