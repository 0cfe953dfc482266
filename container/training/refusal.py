"""The one error that ends a training job on purpose."""


class RefusalError(Exception):
    """Input that training cannot use.

    The message is one line: what was given, what is allowed, what to do. It becomes the job's FailureReason.
    """
