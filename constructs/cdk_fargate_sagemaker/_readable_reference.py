import json
from typing import Any


def readable_reference(reference: Any) -> str:
    """Writes a resolved ARN, or any resolved text, like cdk-nag does in a finding's name: `<Data.Arn>/runs/*`."""
    match reference:
        case str():
            return reference
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(map(readable_reference, parts))
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::ImportValue": name}:
            return readable_reference(name)
        case _:
            return json.dumps(reference, separators=(",", ":"))
