"""The app that the `cdk` command runs: it reads the settings and makes the reference system's stacks."""

import sys

import aws_cdk as cdk

from stacks.alerts_stack import AlertsStack
from stacks.model_stack import ModelStack
from stacks.nag_packs import check_with_cdk_nag
from stacks.network_stack import NetworkStack
from stacks.service_stack import ServiceStack
from stacks.settings import Settings, SettingsError, load_settings


def compose(app: cdk.App, settings: Settings) -> None:
    """Adds the stacks of one environment to `app`."""
    env = cdk.Environment(region=settings.region)
    prefix = f"moderation-{settings.environment}"
    network = NetworkStack(app, f"{prefix}-network", settings=settings, env=env)
    alerts = AlertsStack(app, f"{prefix}-alerts", settings=settings, env=env)
    model = ModelStack(app, f"{prefix}-model", settings=settings, alerts=alerts.alerts, env=env)
    ServiceStack(
        app,
        f"{prefix}-service",
        settings=settings,
        vpc=network.vpc,
        destinations=network.destinations,
        alerts=alerts.alerts,
        workflow=model.workflow,
        reviews=model.reviews,
        env=env,
    )


if __name__ == "__main__":
    app = cdk.App()
    try:
        settings = load_settings(app.node.get_all_context())
    except SettingsError as error:
        sys.exit(f"settings: {error}")
    check_with_cdk_nag(app)
    compose(app, settings)
    app.synth()
