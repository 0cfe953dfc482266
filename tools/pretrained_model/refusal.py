class RefusalError(Exception):
    """Something cannot be used; the message is one line that says what, and what to do."""
