import re

from aws_cdk import Token

# SageMaker's ARNs are in lower case, so a policy that names one matches a name in lower case alone.
_FORM = re.compile(r"[a-z0-9](-*[a-z0-9]){0,62}")


def checked_endpoint_name(endpoint_name: str) -> str:
    """The name, once it is one that policies can name. Raises ValueError for any other."""
    if not Token.is_unresolved(endpoint_name) and not _FORM.fullmatch(endpoint_name):
        raise ValueError(
            f"endpoint_name is {endpoint_name!r}: use lower-case letters, digits and inner hyphens, "
            "at most 63 characters"
        )
    return endpoint_name
