from .endpoint_instances import EndpointInstances
from .evaluation_gate import EvaluationGate
from .model_image import ModelImage
from .model_release_workflow import ModelReleaseWorkflow
from .training_job import TrainingJob

__all__ = ["EndpointInstances", "EvaluationGate", "ModelImage", "ModelReleaseWorkflow", "TrainingJob"]
