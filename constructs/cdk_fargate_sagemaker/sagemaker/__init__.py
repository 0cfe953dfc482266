"""SageMaker models that a workflow or `cdk deploy` releases, and the parts of a release."""

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
from .sources.labelled_data import LabelledData
from .sources.review_decisions import ReviewDecisions
from .sources.review_limits import ReviewLimits
from .stages.data_channel import DataChannel
from .stages.endpoint_check import EndpointCheck
from .stages.evaluation_gate import EvaluationGate
from .stages.function_step import FunctionStep
from .stages.input_channel import InputChannel
from .stages.model_evaluation import ModelEvaluation
from .stages.processing_job import ProcessingJob
from .stages.release_binding import ReleaseBinding
from .stages.release_stage import ReleaseStage
from .stages.training_job import TrainingJob
from .stages.transform_job import TransformJob
from .workflow.release_records import ReleaseRecords

__all__ = [
    "AthenaUnload",
    "DataCapture",
    "DataChannel",
    "DynamoDbExport",
    "EndpointCheck",
    "EndpointConfiguration",
    "EndpointMetrics",
    "EndpointScaling",
    "EndpointVariant",
    "EvaluationGate",
    "FunctionStep",
    "InferenceEndpoint",
    "InputChannel",
    "LabelledData",
    "ModelEvaluation",
    "ModelImage",
    "ModelReleaseWorkflow",
    "ProcessingJob",
    "ReleaseBinding",
    "ReleaseRecords",
    "ReleaseStage",
    "ReviewDecisions",
    "ReviewLimits",
    "RollbackWorkflow",
    "ServerlessInference",
    "ShadowVariant",
    "TrafficShifting",
    "TrainingJob",
    "TransformJob",
    "VpcPlacement",
]
