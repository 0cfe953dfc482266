from cdk_fargate_sagemaker.fargate import CpuStep
from tests.constructs.minimal.fargate import scaled_fargate_service
from tests.constructs.wrong_inputs import WrongInput

WRONG = [
    WrongInput("text-for-cpu", lambda stack: scaled_fargate_service(stack, cpu="1024"), "cpu: got '1024', allowed: "),
    WrongInput(
        "a-share-for-percent",
        lambda stack: CpuStep(threshold_percent=0.8),
        "threshold_percent: got 0.8, allowed: ",
    ),
    WrongInput("half-a-task", lambda stack: CpuStep(add_tasks=1.5), "add_tasks: got 1.5, allowed: "),
]
