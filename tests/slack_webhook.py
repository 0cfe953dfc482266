"""Slack's side of its webhook, within a test's process."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.web_server import Handler, serving


@dataclass
class SlackWebhook:
    """Takes messages; `status` is what it answers with.

    `told` are the messages as they were sent, `texts` the same for a person to read.
    """

    url: str
    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [json.dumps(message, ensure_ascii=False).replace("\\n", "\n") for message in list(self.told)]

    def about(self, name: str) -> list[str]:
        """What was told about an execution or an alarm; a release's name has its execution's at its end."""
        return [text for text in self.texts if re.search(rf"(?<![\w-]){name}\b", text)]


@contextmanager
def slack_webhook() -> Iterator[SlackWebhook]:
    class Webhook(Handler):
        def do_POST(self) -> None:
            slack.told.append(json.loads(self.body()))
            self.answer(slack.status)

    with serving(Webhook) as url:
        slack = SlackWebhook(f"{url}/services/T/B/secret")
        yield slack
