from collections.abc import Mapping

from aws_cdk import CfnResource
from constructs import Construct

from ._checks import refusal

_KEY = "checkov"


def skip_checkov(construct: Construct, reasons: Mapping[str, str]) -> None:
    """Writes into the template why this one resource needs no change for single findings of checkov.

    The resource's own metadata holds the reasons. Every run of checkov reads them there, with any options, and prints
    them in its report: https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html

    Args:
        construct: made by this library or app; the finding concerns its main resource.
        reasons: one sentence per finding, by the check's id. Reasons that the resource already has stay.

    Raises:
        InvalidArgumentError: the construct has no resource in the template; an imported one has none.
    """
    resource = construct.node.default_child
    if not isinstance(resource, CfnResource):
        allowed = "a construct with a resource in the template"
        raise refusal("construct", construct.node.path, allowed, "explain findings where it is made")
    there = resource.get_metadata(_KEY) or {"skip": []}
    added = [{"id": check, "comment": reason} for check, reason in reasons.items()]
    resource.add_metadata(_KEY, {"skip": [*there["skip"], *added]})
