"""The program that answers over HTTP: gunicorn's worker, Flask's routes, the description, the reviewers' page."""
