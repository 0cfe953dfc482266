"""The error with which a training job refuses its input."""


class RefusalError(Exception):
    """The training cannot use its input.

    The message is one line: the value given, the values allowed, what to do. It becomes the job's FailureReason.
    """
