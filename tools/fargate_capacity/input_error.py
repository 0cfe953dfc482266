"""What a user gave that cannot be used."""


class InputError(ValueError):
    """One clear line: what was given, what is allowed, what to do."""
