"""The HTTP service: gunicorn's worker, Flask's routes, the OpenAPI description, the reviewers' page."""
