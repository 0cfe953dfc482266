"""A clock that a test moves."""


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, seconds: float = 1_795_000_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds
