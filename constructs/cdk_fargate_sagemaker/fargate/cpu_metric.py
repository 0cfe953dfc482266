"""The names of a service's CPU: ECS's metric, and what target tracking calls its average."""

NAMESPACE = "AWS/ECS"
NAME = "CPUUtilization"
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
TRACKED = "ECSServiceAverageCPUUtilization"
# The CDK's enumeration lacks it.
TRACKED_EVERY_20_SECONDS = "ECSServiceAverageCPUUtilizationHighResolution"
TRACKED_NAMES = (TRACKED, TRACKED_EVERY_20_SECONDS)
# What spike scaling watches by default, as a `SpikePolicy` names it: metric and statistic.
MAXIMUM = (f"{NAMESPACE}/{NAME}", "Maximum")
