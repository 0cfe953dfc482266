"""Checks of the settings that every construct with logs takes."""

from typing import Any

from aws_cdk import aws_logs as logs

from ._checks import check_kind
from ._interfaces import check_key
from ._lives import check_removal_policy


def check_log_settings(
    *, log_encryption_key: Any, removal_policy: Any, log_retention: Any = logs.RetentionDays.ONE_MONTH
) -> None:
    """Refuses a number of days as the retention, a key's ARN as the key, and text as the removal policy.

    A construct that takes no retention leaves it out.

    Raises:
        InvalidArgumentError: see above.
    """
    check_log_retention(log_retention)
    if log_encryption_key is not None:
        check_key("log_encryption_key", log_encryption_key)
    check_removal_policy(removal_policy)


def check_log_retention(log_retention: Any) -> None:
    """Refuses a value that is not a retention of CloudWatch Logs, such as a number of days.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "choose one, as logs.RetentionDays.ONE_MONTH"
    check_kind("log_retention", log_retention, logs.RetentionDays, "a logs.RetentionDays", remedy)
