"""CloudWatch's statistics. Each member of the CDK's `Stats` is a call to the JavaScript process."""

AVERAGE = "Average"
MAXIMUM = "Maximum"
MINIMUM = "Minimum"
SAMPLE_COUNT = "SampleCount"
SUM = "Sum"
