from .review_queue import ReviewQueue

__all__ = ["ReviewQueue"]
