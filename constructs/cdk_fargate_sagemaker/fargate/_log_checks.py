"""Checks of the settings that everything that writes logs takes."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

from .._checks import check_interface, check_kind


def check_log_settings(*, log_retention: Any, log_encryption_key: Any, removal_policy: Any) -> None:
    """Refuses days for a retention, a key's ARN for a key, and text for a removal policy.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind(
        "log_retention",
        log_retention,
        logs.RetentionDays,
        "a logs.RetentionDays",
        "choose one, as logs.RetentionDays.ONE_MONTH",
    )
    check_key("log_encryption_key", log_encryption_key)
    check_removal_policy(removal_policy)


def check_key(name: str, key: Any) -> None:
    """Refuses what is no key; None stands for none.

    Raises:
        InvalidArgumentError: see above.
    """
    if key is not None:
        remedy = "import it with kms.Key.from_key_arn" if isinstance(key, str) else None
        check_interface(name, key, "key_arn", "a kms.IKey", remedy)


def check_removal_policy(removal_policy: Any) -> None:
    """Refuses what is no removal policy.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "give cdk.RemovalPolicy.DESTROY or RETAIN"
    check_kind("removal_policy", removal_policy, RemovalPolicy, "a cdk.RemovalPolicy", remedy)
