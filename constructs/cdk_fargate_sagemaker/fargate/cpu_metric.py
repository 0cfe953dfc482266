"""The names of a service's CPU metric in ECS, in target tracking and in spike scaling."""

NAMESPACE = "AWS/ECS"
NAME = "CPUUtilization"
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
TRACKED = "ECSServiceAverageCPUUtilization"
# The CDK's enumeration lacks it.
TRACKED_EVERY_20_SECONDS = "ECSServiceAverageCPUUtilizationHighResolution"
TRACKED_NAMES = (TRACKED, TRACKED_EVERY_20_SECONDS)
# The metric and statistic that spike scaling watches by default, in the form of a `SpikePolicy`.
MAXIMUM = (f"{NAMESPACE}/{NAME}", "Maximum")
