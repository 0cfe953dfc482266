class RefusalError(Exception):
    """The input is invalid; the message is one line: what is wrong and what to do."""
