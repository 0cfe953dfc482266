"""How often a task reports its CPU, for functions that count tasks with these reports."""

from cdk_fargate_sagemaker.fargate import ServiceMetrics

_MINUTE_S = 60


def cpu_reports(metrics: ServiceMetrics) -> dict[str, str]:
    """The environment variable for the function; none if each task reports once per minute."""
    seconds = metrics.cpu_resolution.to_seconds()
    return {} if seconds == _MINUTE_S else {"CPU_REPORTS_A_MINUTE": f"{_MINUTE_S / seconds:g}"}
