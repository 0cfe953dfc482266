"""Checks of the settings that everything that writes logs takes."""

from typing import Any

from aws_cdk import aws_logs as logs

from ._checks import check_kind
from ._interfaces import check_key
from ._lives import check_removal_policy


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
    if log_encryption_key is not None:
        check_key("log_encryption_key", log_encryption_key)
    check_removal_policy(removal_policy)
