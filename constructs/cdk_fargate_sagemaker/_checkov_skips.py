from collections.abc import Mapping

from aws_cdk import CfnResource
from constructs import Construct

from ._checks import refusal

_KEY = "checkov"


def skip_checkov(construct: Construct, reasons: Mapping[str, str]) -> None:
    """Writes into the template why single findings of checkov are right on this one resource.

    The resource's own metadata holds them, where every run of checkov reads them, with whatever options, and names the
    reason in its report: https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html

    Args:
        construct: made by this library or app; the finding is on its main resource.
        reasons: a sentence for each finding, by the check's id. Those that the resource has already stay.

    Raises:
        InvalidArgumentError: the construct has no resource in the template, as an imported one.
    """
    resource = construct.node.default_child
    if not isinstance(resource, CfnResource):
        allowed = "a construct with a resource in the template"
        raise refusal("construct", construct.node.path, allowed, "explain findings where it is made")
    there = resource.get_metadata(_KEY) or {"skip": []}
    added = [{"id": check, "comment": reason} for check, reason in reasons.items()]
    resource.add_metadata(_KEY, {"skip": [*there["skip"], *added]})
