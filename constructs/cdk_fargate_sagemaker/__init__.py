"""AWS CDK constructs for services on ECS/Fargate and models on SageMaker."""
