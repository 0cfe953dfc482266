"""Makes recorded_calls.json of what a rehearsal left: `python record.py build/rehearsal`.

Of a call's condition keys it keeps those that a policy of the rehearsed templates names: whatever else differs decides
nothing, so that hundreds of calls become one.
"""

import json
import sys
from pathlib import Path
from typing import Any

_KEPT = ("caller", "action", "resource")


def main() -> None:
    folder = Path(sys.argv[1])
    recording = json.loads((folder / "judged_calls.json").read_text())
    named = {
        key.lower()
        for path in sorted((folder / "cdk.out").glob("*.template.json"))
        for key in condition_keys(json.loads(path.read_text()))
    }
    calls = {}
    for judged in recording["calls"]:
        call = {name: judged[name] for name in _KEPT}
        call["context"] = {name: value for name, value in judged["context"].items() if name.lower() in named}
        call["operation"] = judged["operation"]
        calls[json.dumps([call[name] for name in (*_KEPT, "context")])] = call
    path = Path(__file__).parent / "recorded_calls.json"
    # A line each, so that a new recording shows what is new.
    resources = {stack: made for stack, made in sorted(recording["resources"].items()) if stack != "CDKToolkit"}
    path.write_text(f'{{"resources": {{\n{_lines(resources)}\n}},\n"calls": [\n{_list(calls)}\n]}}\n')
    print(f"{path}: {len(calls)} of {len(recording['calls'])} permissions, {path.stat().st_size:,} bytes")


def _lines(stacks: dict[str, dict[str, Any]]) -> str:
    return ",\n".join(
        f"{json.dumps(stack)}: {{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(made)}" for name, made in sorted(resources.items()))
        + "\n}"
        for stack, resources in stacks.items()
    )


def _list(calls: dict[str, Any]) -> str:
    return ",\n".join(json.dumps(calls[key]) for key in sorted(calls))


def condition_keys(value: Any) -> list[str]:
    if isinstance(value, list):
        return [key for item in value for key in condition_keys(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("Condition")
    if not isinstance(own, dict) or not {"Effect", "Action"} & set(value):
        own = {}
    keys = [key for conditions in own.values() if isinstance(conditions, dict) for key in conditions]
    return keys + [key for item in value.values() for key in condition_keys(item)]


if __name__ == "__main__":
    main()
