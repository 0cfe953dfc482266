from .data_capture import DataCapture
from .endpoint_configuration import EndpointConfiguration
from .endpoint_metrics import EndpointMetrics
from .endpoint_scaling import EndpointScaling
from .endpoint_variant import EndpointVariant
from .evaluation_gate import EvaluationGate
from .model_image import ModelImage
from .model_release_workflow import ModelReleaseWorkflow
from .serverless_inference import ServerlessInference
from .shadow_variant import ShadowVariant
from .traffic_shifting import TrafficShifting
from .training_job import TrainingJob
from .vpc_placement import VpcPlacement

__all__ = [
    "DataCapture",
    "EndpointConfiguration",
    "EndpointMetrics",
    "EndpointScaling",
    "EndpointVariant",
    "EvaluationGate",
    "ModelImage",
    "ModelReleaseWorkflow",
    "ServerlessInference",
    "ShadowVariant",
    "TrafficShifting",
    "TrainingJob",
    "VpcPlacement",
]
