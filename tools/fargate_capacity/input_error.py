"""An error for input that cannot be used."""


class InputError(ValueError):
    """A one-line message: what was given, what is allowed, what to do."""
