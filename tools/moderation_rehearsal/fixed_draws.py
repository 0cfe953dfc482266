"""Makes every rehearsal draw the same posts: which posts are held out decides what the second model can learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_DRAWN_BY = ("SideSecret", "DrawSecret")


def fix_draws(secrets: SecretsManagerClient, value: str = "of a rehearsal alone, drawn by nobody") -> None:
    """Gives the secrets by which posts are drawn the same value in each run."""
    for page in secrets.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            if any(part in secret["Name"] for part in _DRAWN_BY):
                secrets.put_secret_value(SecretId=secret["ARN"], SecretString=value)
