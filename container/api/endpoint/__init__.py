"""The SageMaker endpoint that scores posts: invocations within a deadline, and a circuit breaker."""
