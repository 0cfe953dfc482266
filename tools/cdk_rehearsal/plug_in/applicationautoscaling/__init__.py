"""Application Auto Scaling: its API, and the scaling itself when an alarm fires."""

from cdk_rehearsal.plug_in.applicationautoscaling.service import ApplicationAutoScaling

__all__ = ["ApplicationAutoScaling"]
