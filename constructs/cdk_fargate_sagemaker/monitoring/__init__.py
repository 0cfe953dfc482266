"""Dashboards and alarms for services and models."""

from .change_log import Change, ChangeLog, ChangeLogError
from .endpoint_alarms import EndpointAlarms
from .endpoint_dashboard import EndpointDashboard
from .fallback_alarms import FallbackAlarms
from .fargate_price import FargatePrice
from .model_drift import ModelDrift
from .review_alarms import ReviewAlarms
from .review_dashboard import ReviewDashboard
from .service_alarms import ServiceAlarms
from .service_dashboard import ServiceDashboard
from .workflow_alarms import WorkflowAlarms
from .workflow_dashboard import WorkflowDashboard

__all__ = [
    "Change",
    "ChangeLog",
    "ChangeLogError",
    "EndpointAlarms",
    "EndpointDashboard",
    "FallbackAlarms",
    "FargatePrice",
    "ModelDrift",
    "ReviewAlarms",
    "ReviewDashboard",
    "ServiceAlarms",
    "ServiceDashboard",
    "WorkflowAlarms",
    "WorkflowDashboard",
]
