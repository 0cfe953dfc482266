from .configuration.data_capture import DataCapture
from .configuration.endpoint_configuration import EndpointConfiguration
from .configuration.endpoint_scaling import EndpointScaling
from .configuration.endpoint_variant import EndpointVariant
from .configuration.serverless_inference import ServerlessInference
from .configuration.shadow_variant import ShadowVariant
from .configuration.traffic_shifting import TrafficShifting
from .endpoint.endpoint_metrics import EndpointMetrics
from .endpoint.inference_endpoint import InferenceEndpoint
from .machines.model_image import ModelImage
from .machines.vpc_placement import VpcPlacement
from .release.model_release_workflow import ModelReleaseWorkflow
from .rollback.rollback_workflow import RollbackWorkflow
from .sources.athena_unload import AthenaUnload
from .sources.dynamodb_export import DynamoDbExport
from .sources.review_limits import ReviewLimits
from .stages.evaluation_gate import EvaluationGate
from .stages.function_step import FunctionStep
from .stages.input_channel import InputChannel
from .stages.processing_job import ProcessingJob
from .stages.training_job import TrainingJob
from .stages.transform_job import TransformJob
from .workflow.release_records import ReleaseRecords

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
