"""Application Auto Scaling: its API, and the scaling when an alarm goes into ALARM."""

from cdk_rehearsal.plug_in.applicationautoscaling.service import ApplicationAutoScaling

__all__ = ["ApplicationAutoScaling"]
