class InputError(Exception):
    """What the command was given cannot be used; the message is one line that says what, and what is allowed."""
