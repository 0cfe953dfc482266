"""Builds pages and API reference as one site with one search: `python docs/build_site.py build/docs`.

The site is plain files: open `build/docs/index.html`, or put the folder on any web server. A link that leads nowhere
ends the build in one line.
"""

import html
import importlib
import json
import os
import re
import shutil
import sys
import tomllib
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

os.environ["PDOC_ALLOW_EXEC"] = "1"

import pdoc
import pdoc.doc
import pdoc.extract
import pdoc.render
from markdown_it import MarkdownIt
from markdown_it.token import Token

PROJECT = Path(__file__).parents[1]
PACKAGE = "cdk_fargate_sagemaker"
REFERENCE = "reference"
SOURCE = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]

_LINK = re.compile(r'\b(?:href|src)="([^"]*)"')
_ID = re.compile(r'\bid="([^"]*)"')


class DeadLinkError(ValueError):
    """A page links to what is not there."""


def page_names() -> dict[Path, str]:
    """The file of each Markdown page of the site, by its path in the repository."""
    names = {
        PROJECT / "README.md": "index.html",
        PROJECT / "CONTRIBUTING.md": "contributing.html",
        PROJECT / "SECURITY.md": "security.html",
        PROJECT / "CHANGELOG.md": "changelog.html",
        PROJECT / "tools" / "README.md": "commands.html",
    }
    return names | {page: f"{page.stem}.html" for page in sorted((PROJECT / "docs").glob("*.md"))}


def build(site: Path) -> None:
    """Raises DeadLinkError."""
    pages, names = page_names(), dict[str, str]()
    documents = {
        page: MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")) for page in pages
    }
    for page, tokens in documents.items():
        names[pages[page]] = next(
            (_text(tokens[at + 1]) for at, token in enumerate(tokens) if token.tag == "h1"), page.stem
        )
    pdoc.render.configure(
        docformat="google", search=False, show_source=False, mermaid=True, template_directory=PROJECT / "docs" / "site"
    )
    pdoc.render.env.globals["pages"] = names
    shutil.rmtree(site, ignore_errors=True)
    (site / REFERENCE).mkdir(parents=True)
    shutil.copytree(PROJECT / "docs" / "images", site / "images")
    entries = list(_reference(site / REFERENCE))
    template = pdoc.render.env.get_template("page.html.jinja2")
    for page, tokens in documents.items():
        sections = list(_sections(tokens))
        for token in _all(tokens):
            for name in ("href", "src"):
                if target := token.attrGet(name):
                    token.attrSet(name, _address(page, str(target), pages))
        body = _with_diagrams(MarkdownIt().renderer.render(tokens, MarkdownIt("commonmark").options, {}))
        name = pages[page]
        (site / name).write_text(template.render(title=names[name], name=name, body=body), encoding="utf-8")
        for anchor, title, text in sections:
            heading = names[name] if title == names[name] else f"{names[name]}: {title}"
            entries.append({"title": heading, "url": f"{name}#{anchor}", "text": text})
    script = (PROJECT / "docs" / "site" / "search.js").read_text(encoding="utf-8")
    (site / "search.js").write_text(
        f"const entries = {json.dumps(entries, ensure_ascii=False)};\n{script}", encoding="utf-8"
    )
    dead = sorted(dead_links(site, (entry["url"] for entry in entries)))
    if dead:
        raise DeadLinkError(f"{len(dead)} links lead nowhere: {'; '.join(dead[:10])}")


def _reference(folder: Path) -> Iterator[dict[str, str]]:
    """Writes the API reference, and yields what the search finds in it."""
    package = importlib.import_module(PACKAGE)
    areas = [name for name in sorted(os.listdir(package.__path__[0])) if name[0] not in "_." and "." not in name]
    for area in areas:
        imported = importlib.import_module(f"{PACKAGE}.{area}")
        # A name that is imported lazily is in its module once somebody asked for it, and pdoc does not ask.
        for name in imported.__all__:
            getattr(imported, name)
    # A public name that has no page is an error.
    warnings.simplefilter("error", UserWarning)
    modules = {name: pdoc.doc.Module.from_name(name) for name in pdoc.extract.walk_specs([PACKAGE, f"!{PACKAGE}[.]_"])}
    for module in modules.values():
        path = f"{module.fullname.replace('.', '/')}.html"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        page = pdoc.render.html_module(module, modules)
        shown = set(_ID.findall(page))
        page = _without_links_to_inherited(page, shown)
        (folder / path).write_text(page, encoding="utf-8")
        yield {"title": module.fullname, "url": f"{REFERENCE}/{path}", "text": module.docstring}
        for member in _members(module):
            if member.qualname in shown:
                yield {
                    "title": member.fullname,
                    "url": f"{REFERENCE}/{path}#{member.qualname}",
                    "text": member.docstring,
                }
    (folder / "index.html").write_text(pdoc.render.html_index(modules), encoding="utf-8")


def _without_links_to_inherited(page: str, shown: set[str]) -> str:
    """Takes away pdoc's links to members of the CDK's base classes, which the page does not show."""
    return re.sub(
        r'<a href="#([^"]+)">(.*?)</a>', lambda link: link[0] if link[1] in shown else link[2], page, flags=re.DOTALL
    )


def _members(namespace: pdoc.doc.Namespace[Any]) -> Iterator[pdoc.doc.Doc[Any]]:
    for member in namespace.own_members:
        yield member
        if isinstance(member, pdoc.doc.Class):
            yield from _members(member)


def _all(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _text(token: Token) -> str:
    return "".join(" " if part.type == "softbreak" else part.content for part in token.children or ())


def _sections(tokens: list[Token]) -> Iterator[tuple[str, str, str]]:
    """Gives each heading its anchor, as GitHub makes them, and yields anchor, heading and text of each section."""
    taken: dict[str, int] = {}
    anchor, title, text = "", "", list[str]()
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            if anchor:
                yield anchor, title, " ".join(text)
            title, text = _text(tokens[at + 1]), []
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            anchor = f"{slug}-{taken[slug]}" if slug in taken else slug
            taken[slug] = taken.get(slug, 0) + 1
            token.attrSet("id", anchor)
        elif token.type == "inline":
            text.append(_text(token))
        elif token.type == "fence":
            text.append(token.content)
    if anchor:
        yield anchor, title, " ".join(text)


def _address(page: Path, target: str, pages: dict[Path, str]) -> str:
    """Where a link of a Markdown page leads on the site: a page or picture of the site, or the repository's file."""
    path, anchor = urldefrag(target)
    if not path or "://" in path or path.startswith("mailto:"):
        return target
    file = (page.parent / unquote(path)).resolve()
    end = f"#{anchor}" if anchor else ""
    if file in pages:
        return f"{pages[file]}{end}"
    inside = file.relative_to(PROJECT)
    if not file.exists():
        raise DeadLinkError(f"{page.relative_to(PROJECT)} links to {inside}, which is not there")
    if inside.parts[:2] == ("docs", "images"):
        return Path(*inside.parts[1:]).as_posix()
    return f"{SOURCE}/{'tree' if file.is_dir() else 'blob'}/main/{inside.as_posix()}{end}"


def _with_diagrams(body: str) -> str:
    return re.sub(
        r'<pre><code class="language-mermaid">(.*?)</code></pre>',
        r'<pre class="mermaid">\1</pre>',
        body,
        flags=re.DOTALL,
    )


def dead_links(site: Path, found: Iterable[str] = ()) -> Iterator[str]:
    """The links between files of the site that lead nowhere, and of the search's results `found`."""
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    anchors = {path: {html.unescape(anchor) for anchor in _ID.findall(text)} for path, text in texts.items()}
    links = [(path, link) for path, text in texts.items() for link in set(_LINK.findall(text))]
    for source, link in [*links, *((site / "search.js", link) for link in found)]:
        path, anchor = urldefrag(html.unescape(link))
        if "://" in path or path.startswith(("data:", "mailto:")):
            continue
        target = (source.parent / unquote(path)).resolve() if path else source
        if not target.exists() or (anchor and target in anchors and unquote(anchor) not in anchors[target]):
            yield f"{source.relative_to(site)} → {link}"


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]).resolve())
    except DeadLinkError as error:
        sys.exit(str(error))
