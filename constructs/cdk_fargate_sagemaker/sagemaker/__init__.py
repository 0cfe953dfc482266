from .athena_unload import AthenaUnload
from .data_capture import DataCapture
from .dynamodb_export import DynamoDbExport
from .endpoint_configuration import EndpointConfiguration
from .endpoint_metrics import EndpointMetrics
from .endpoint_scaling import EndpointScaling
from .endpoint_variant import EndpointVariant
from .evaluation_gate import EvaluationGate
from .function_step import FunctionStep
from .inference_endpoint import InferenceEndpoint
from .input_channel import InputChannel
from .model_image import ModelImage
from .model_release_workflow import ModelReleaseWorkflow
from .processing_job import ProcessingJob
from .release_records import ReleaseRecords
from .review_limits import ReviewLimits
from .rollback_workflow import RollbackWorkflow
from .serverless_inference import ServerlessInference
from .shadow_variant import ShadowVariant
from .traffic_shifting import TrafficShifting
from .training_job import TrainingJob
from .transform_job import TransformJob
from .vpc_placement import VpcPlacement

__all__ = [
    "AthenaUnload",
    "DataCapture",
    "DynamoDbExport",
    "EndpointConfiguration",
    "EndpointMetrics",
    "EndpointScaling",
    "EndpointVariant",
    "EvaluationGate",
    "FunctionStep",
    "InferenceEndpoint",
    "InputChannel",
    "ModelImage",
    "ModelReleaseWorkflow",
    "ProcessingJob",
    "ReleaseRecords",
    "ReviewLimits",
    "RollbackWorkflow",
    "ServerlessInference",
    "ShadowVariant",
    "TrafficShifting",
    "TrainingJob",
    "TransformJob",
    "VpcPlacement",
]
