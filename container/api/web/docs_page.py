"""The ML API's description for people: one HTML page that loads nothing else."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.8rem;overflow:auto}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}"
)


DOCS_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: it loads nothing, and no other page can show it in a frame."""


def docs_page(document: dict[str, Any], *, as_json: str) -> str:
    """Return an HTML page for an OpenAPI document; the path `as_json` serves the document itself."""
    info = document["info"]
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>",
        f'<p>The same for programs: <a href="{escape(as_json)}">{escape(as_json)}</a></p>',
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation['summary'])}.</p>")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                parts += [_code(example["value"]) for example in content["examples"].values()]
            parts.append("<table><tr><th>status</th><th>meaning</th></tr>")
            parts += [
                f"<tr><td>{status}</td><td>{escape(response['description'])}</td></tr>"
                for status, response in operation["responses"].items()
            ]
            parts.append("</table>")
    parts.append("<h2>Schemas</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(f"<h3>{escape(name)}</h3>{_code(schema)}")
    return "\n".join([*parts, "</body></html>\n"])


def _code(content: object) -> str:
    return f"<pre>{escape(json.dumps(content, ensure_ascii=False, indent=2))}</pre>"
