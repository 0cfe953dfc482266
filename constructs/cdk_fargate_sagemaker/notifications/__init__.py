"""Where alerts go: a topic, and who gets them."""

from .alerts_topic import AlertsTopic
from .slack_notifier import SlackNotifier

__all__ = ["AlertsTopic", "SlackNotifier"]
