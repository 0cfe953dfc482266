class InputError(Exception):
    """What was given cannot be used; the message is one line that says what, and what is allowed."""
