from .alerts_topic import AlertsTopic
from .slack_notifier import SlackNotifier

__all__ = ["AlertsTopic", "SlackNotifier"]
