"""Which users of an identity provider are reviewers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from aws_cdk import Token

from .._checks import check_kind, check_sequence, check_text, plain, refusal
from .cognito_identity import CognitoIdentity
from .oidc_identity import OidcIdentity

# The subjects that the ML API accepts from the load balancer.
SUBJECT = r"[\x21-\x7e]{1,128}"
_SUBJECTS = "a list of subjects, each 1 to 128 letters, digits and signs without blanks"


@dataclass(frozen=True, slots=True)
class ReviewerAccess:
    """Who may review: create it with `by_group`, `by_claim` or `by_subjects`. Everybody else is answered 403.

    Choose something that users cannot change themselves. In a pool whose users register and edit their own attributes,
    each user can set a claim, but not join a group.

    Example:
        ```python
        moderators = ReviewerAccess.by_claim("groups", "moderators")
        ```
    """

    _environment: Mapping[str, str]
    _group: str | None = None

    @classmethod
    def by_claim(cls, name: str, value: str) -> Self:
        """Users whose claim `name` is `value`, or is a list that contains it, as the user-info endpoint returns it.

        Args:
            name: as `groups`, or `https://example.com/roles`.
            value: as `moderators`; `true` for a flag.

        Raises:
            InvalidArgumentError: no text, or an empty one.
        """
        for argument, given in (("name", name), ("value", value)):
            check_text(argument, given)
        return cls(_environment={"REVIEW_CLAIM": name, "REVIEW_CLAIM_VALUE": value})

    @classmethod
    def by_group(cls, group: str) -> Self:
        """Users in a group of the user pool; this needs a `CognitoIdentity`.

        A pool gives groups in the access token alone. The service checks the pool's signature, with keys that it
        fetches from the pool's address over HTTPS.

        Args:
            group: its name.

        Raises:
            InvalidArgumentError: no text, or an empty one.
        """
        check_text("group", group)
        return cls(_environment={"REVIEW_GROUP": group}, _group=group)

    @classmethod
    def by_subjects(cls, subjects: Sequence[str]) -> Self:
        """Users on a list.

        Args:
            subjects: the provider's permanent identifiers of people (`sub`); not e-mail addresses, which may pass to
                another person.

        Raises:
            InvalidArgumentError: an empty list, or a value that cannot be a subject.
        """
        listed = check_sequence("subjects", subjects, _SUBJECTS, empty=False)
        for subject in listed:
            check_kind("subjects", subject, str, _SUBJECTS)
            if not Token.is_unresolved(subject) and not re.fullmatch(SUBJECT, subject):
                raise refusal("subjects", subject, _SUBJECTS)
        return cls(_environment={"REVIEW_SUBJECTS": " ".join(listed)})

    def environment(self, identity: OidcIdentity | CognitoIdentity) -> dict[str, str]:
        """The environment variables with which the ML API admits these users only.

        Raises:
            InvalidArgumentError: a group, with a provider that is not a `CognitoIdentity`.
        """
        if self._group is None:
            return dict(self._environment)
        if not isinstance(identity, CognitoIdentity):
            raise refusal(
                "access",
                plain(f"the group {self._group!r}"),
                "by_claim or by_subjects with an OidcIdentity",
                "groups of a user pool come with a CognitoIdentity; give by_claim('groups', …)",
            )
        return {
            **self._environment,
            "REVIEW_POOL": f"https://{identity.user_pool.user_pool_provider_name}",
            "REVIEW_POOL_CLIENT": identity.user_pool_client.user_pool_client_id,
        }
