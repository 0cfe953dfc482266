"""AWS CDK constructs for services on ECS/Fargate and models on SageMaker."""

__version__ = "0.1.0"
