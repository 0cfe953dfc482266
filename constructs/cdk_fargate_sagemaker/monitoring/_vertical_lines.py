"""A change log as the vertical lines of a dashboard."""

from pathlib import Path

from aws_cdk import aws_cloudwatch as cloudwatch

from .._checks import check_kind
from .change_log import ChangeLog, in_utc


def vertical_annotations(change_log: ChangeLog | Path | str | None) -> list[cloudwatch.VerticalAnnotation]:
    """Returns a line per change of the log or of the file at that path; no lines without a log."""
    if change_log is None:
        return []
    check_kind("change_log", change_log, (ChangeLog, Path, str), "a path or a ChangeLog")
    log = change_log if isinstance(change_log, ChangeLog) else ChangeLog.from_file(change_log)
    return [
        cloudwatch.VerticalAnnotation(
            date=in_utc(change.date), label=f"{change.label} ({change.author})" if change.author else change.label
        )
        for change in log.changes
    ]
