class InputError(Exception):
    """The input is invalid; the message is one line: what was given and what is allowed, without any post."""
