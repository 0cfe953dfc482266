class InputError(Exception):
    """What the command was given cannot be used; the message is one line: what, what is allowed, and no post."""
