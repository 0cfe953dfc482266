"""A policy document, read once."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from cdk_rehearsal.permissions.call import Call, Principal
from cdk_rehearsal.permissions.condition import Condition
from cdk_rehearsal.permissions.pattern import ArnPattern, Pattern
from cdk_rehearsal.permissions.principal_element import Named, PrincipalElement
from cdk_rehearsal.permissions.request_context import Context

PolicyDocument = Mapping[str, Any]
"""A policy as a template has it, its functions resolved."""

Form = Literal["identity", "resource"]
"""Whether statements have a Principal."""


class Statement:
    """One statement: what it is about and whom.

    Args:
        body: as the policy has it.
        form: of the policy.
        variables: whether the policy's Version knows variables.
        number: its place in the document, from 1.

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
        # "Action" is in any case: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
        self._actions = tuple(Pattern(text, wildcards=True, variables=False, ignore_case=True) for text in actions)

        self._not_resource, resources = _either(body, "Resource", self.name)
        if resources is None and form == "identity":
            raise ValueError(f"statement {self.name} has no Resource: allowed Resource or NotResource; add one")
        # A trust policy and a repository's policy have no Resource: they are about what they are attached to.
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
            Condition(operation=operation, key=key, values=_list(values), variables=variables)
            for operation, keys in (body.get("Condition") or {}).items()
            for key, values in keys.items()
        )

    def has_action(self, action: str) -> bool:
        """Whether the statement is about this action."""
        return any(pattern.matches(action, {}) for pattern in self._actions) != self._not_action

    def has_resource(self, resource: str, context: Context) -> bool:
        """Whether the statement is about this resource."""
        return any(matches(resource, context) for matches in self._resources) != self._not_resource

    def names(self, principal: Principal, *, bounded: bool) -> Named:
        """Say how closely the statement names the caller; an identity policy has only one subject.

        Args:
            bounded: whether the caller has a permissions boundary: "The NotPrincipal element with a Deny effect will
                always deny any IAM principal that has a permissions boundary policy attached"
                (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
        """
        if self._principal is None or (self._not_principal and bounded):
            return Named.DIRECTLY
        return self._principal.names(principal)

    def unmet(self, context: Context) -> Iterator[str]:
        """Give each condition that the request does not meet."""
        return (condition.text for condition in self._conditions if not condition.holds(context))

    def has_conditions(self, context: Context) -> bool:
        """Whether the request meets the statement's conditions, all of them."""
        return all(condition.holds(context) for condition in self._conditions)


class Policy:
    """A policy's statements, found by action.

    Args:
        statements: as the policy has them.
    """

    __slots__ = ("_by_action", "_statements")

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self._statements = statements
        self._by_action: dict[str, tuple[tuple[Statement, ...], tuple[Statement, ...]]] = {}

    def about(self, action: str) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
        """Return the statements that deny an action and those that allow it."""
        found = self._by_action.get(action)
        if found is None:
            relevant = [statement for statement in self._statements if statement.has_action(action)]
            found = self._by_action[action] = (
                tuple(statement for statement in relevant if statement.denies),
                tuple(statement for statement in relevant if not statement.denies),
            )
        return found

    def denying(self, call: Call, context: Context, *, bounded: bool = False) -> Statement | None:
        """Return the first statement that denies a call."""
        for statement in self.about(call.action)[0]:
            if (
                statement.has_resource(call.resource, context)
                and statement.names(call.principal, bounded=bounded) is not Named.NOT
                and statement.has_conditions(context)
            ):
                return statement
        return None

    def allowing(self, call: Call, context: Context) -> tuple[Named, Statement | None]:
        """Return the statement that allows a call and names the caller most closely."""
        closest, best = Named.NOT, None
        for statement in self.about(call.action)[1]:
            named = statement.names(call.principal, bounded=False)
            if named > closest and statement.has_resource(call.resource, context) and statement.has_conditions(context):
                closest, best = named, statement
                if named is Named.DIRECTLY:
                    break
        return closest, best

    def nearly_allowing(self, call: Call, context: Context) -> tuple[Statement, str] | None:
        """Return a statement that would allow a call but for one condition, and that condition."""
        for statement in self.about(call.action)[1]:
            named = statement.names(call.principal, bounded=False) is not Named.NOT
            if named and statement.has_resource(call.resource, context):
                unmet = next(statement.unmet(context), None)
                if unmet is not None:
                    return statement, unmet
        return None


def read_policy(document: PolicyDocument, form: Form) -> Policy:
    """Read a policy document; a document of the same content is read once.

    Raises:
        ValueError: AWS refuses such a policy, or a function of the template is not resolved.
    """
    return _read(json.dumps(document, default=dict), form)


@functools.lru_cache(maxsize=4096)
def _read(document: str, form: Form) -> Policy:
    content = json.loads(document)
    # "If you do not include a Version element, the value defaults to 2008-10-17."
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
    variables = content.get("Version") == "2012-10-17"
    return Policy(
        tuple(
            _statement(json.dumps(body), form, variables, number)
            for number, body in enumerate(_list(content.get("Statement")), start=1)
        )
    )


@functools.lru_cache(maxsize=16384)
def _statement(body: str, form: Form, variables: bool, number: int) -> Statement:
    return Statement(json.loads(body), form=form, variables=variables, number=number)


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
    for text in _list(value):
        if not isinstance(text, str):
            raise ValueError(
                f"{name} of statement {statement} is {text!r}: allowed a text; resolve the template's functions first"
            )
    return negated, None if value is None else _list(value)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
