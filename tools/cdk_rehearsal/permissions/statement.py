"""One statement of a policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from cdk_rehearsal.permissions.call import Principal
from cdk_rehearsal.permissions.condition import Condition
from cdk_rehearsal.permissions.pattern import ArnPattern, Pattern
from cdk_rehearsal.permissions.principal_element import Named, PrincipalElement
from cdk_rehearsal.permissions.request_context import Context

Form = Literal["identity", "resource"]
"""Whether statements have a Principal."""


class Statement:
    """One statement: its actions, resources, principals and conditions.

    Args:
        body: the statement as written in the policy.
        form: the kind of policy.
        variables: whether the policy's Version supports variables.
        number: the position in the document, from 1.

    Raises:
        ValueError: AWS refuses such a statement.
    """

    __slots__ = (
        "_actions",
        "_conditions",
        "_not_action",
        "_not_principal",
        "_not_resource",
        "_principal",
        "_resources",
        "denies",
        "name",
    )

    def __init__(self, body: Mapping[str, Any], *, form: Form, variables: bool, number: int) -> None:
        sid = body.get("Sid")
        self.name = f'"{sid}"' if sid else f"{number}"
        if body.get("Effect") not in ("Allow", "Deny"):
            raise ValueError(
                f"Effect of statement {self.name} is {body.get('Effect')!r}: allowed Allow, Deny; correct it"
            )
        self.denies = body["Effect"] == "Deny"

        self._not_action, actions = _either(body, "Action", self.name)
        if actions is None:
            raise ValueError(f"statement {self.name} has no Action: allowed Action or NotAction; add one")
        # "Action" is case-insensitive:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
        self._actions = tuple(Pattern(text, wildcards=True, variables=False, ignore_case=True) for text in actions)

        self._not_resource, resources = _either(body, "Resource", self.name)
        if resources is None and form == "identity":
            raise ValueError(f"statement {self.name} has no Resource: allowed Resource or NotResource; add one")
        # A trust policy and a repository's policy have no Resource: they apply to the resource that they are attached
        # to.
        self._resources = tuple(
            _resource(text, form, variables) for text in (["*"] if resources is None else resources)
        )

        self._not_principal, self._principal = "NotPrincipal" in body, None
        if form == "resource":
            if ("Principal" in body) == self._not_principal:
                raise ValueError(
                    f"statement {self.name} has to have Principal or NotPrincipal: allowed one; correct it"
                )
            if self._not_principal and not self.denies:
                raise ValueError(
                    f"statement {self.name} allows a NotPrincipal: allowed only in a Deny; name a Principal"
                )
            self._principal = PrincipalElement(
                body["NotPrincipal" if self._not_principal else "Principal"], negated=self._not_principal
            )

        self._conditions = tuple(
            Condition(operation=operation, key=key, values=listed(values), variables=variables)
            for operation, keys in (body.get("Condition") or {}).items()
            for key, values in keys.items()
        )

    def has_action(self, action: str) -> bool:
        """Whether the statement applies to this action."""
        return any(pattern.matches(action, {}) for pattern in self._actions) != self._not_action

    def has_resource(self, resource: str, context: Context) -> bool:
        """Whether the statement applies to this resource."""
        return any(matches(resource, context) for matches in self._resources) != self._not_resource

    def names(self, principal: Principal, *, bounded: bool) -> Named:
        """How specifically the statement names the caller; an identity policy always applies to its own principal.

        Args:
            principal: the caller.
            bounded: whether the caller has a permissions boundary: "The NotPrincipal element with a Deny effect will
                always deny any IAM principal that has a permissions boundary policy attached"
                (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
        """
        if self._principal is None or (self._not_principal and bounded):
            return Named.DIRECTLY
        return self._principal.names(principal)

    def unmet(self, context: Context) -> Iterator[str]:
        """Yield each condition that the request does not satisfy."""
        return (condition.text for condition in self._conditions if not condition.holds(context))

    def has_conditions(self, context: Context) -> bool:
        """Whether the request satisfies all conditions of the statement."""
        return all(condition.holds(context) for condition in self._conditions)


def _resource(text: str, form: Form, variables: bool) -> Callable[[str, Context], bool]:
    if re.fullmatch(r"\*+", text):
        return lambda resource, context: True
    # "When you specify an incomplete ARN (one with fewer than the standard six fields) in an identity-based policy, AWS
    # automatically completes the ARN by adding wildcard characters (*) to all missing fields."
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
    return ArnPattern(text, variables=variables, completed=form == "identity", leading_variables=False).matches


def _either(body: Mapping[str, Any], name: str, statement: str) -> tuple[bool, list[str] | None]:
    negated = f"Not{name}" in body
    if negated and name in body:
        raise ValueError(f"statement {statement} has {name} and Not{name}: allowed one of them; take one away")
    value = body.get(f"Not{name}" if negated else name)
    for text in listed(value):
        if not isinstance(text, str):
            raise ValueError(
                f"{name} of statement {statement} is {text!r}: allowed a text; resolve the template's functions first"
            )
    return negated, None if value is None else listed(value)


def listed(value: object) -> list[Any]:
    """Return the values of an element, which may be one value without a list."""
    return value if isinstance(value, list) else [] if value is None else [value]
