"""Synthesises both sides of a change from a Git repository, each from its own sources and in its own environment.

The side after the change is the working tree. The side before is the merge base with a branch, checked out in another
folder. Assemblies are cached by the hash of the tree, so that a second review does not repeat a synthesis.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from fargate_capacity.input_error import InputError

PYTHON_LOCKS = ("requirements.txt", "poetry.lock", "uv.lock", "Pipfile.lock")
NODE_LOCKS = ("package-lock.json", "yarn.lock", "pnpm-lock.yaml")
NODE_INSTALLS = {
    "package-lock.json": ["npm", "ci", "--silent"],
    "yarn.lock": ["yarn", "install", "--frozen-lockfile", "--silent"],
    "pnpm-lock.yaml": ["pnpm", "install", "--frozen-lockfile", "--silent"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The cloud assemblies before and after, and the commit of the first."""

    base: Path
    head: Path
    base_commit: str


@contextmanager
def git_sides(reference: str, *, folder: Path, say: Callable[[str], None]) -> Iterator[Sides]:
    """Synthesise the working tree and its merge base with `reference`. Both assemblies exist until the context ends.

    Args:
        reference: a branch, a tag or a commit, such as `origin/main`.
        folder: the folder of the CDK app's cdk.json, in a Git repository.
        say: called with a message for each slow step.

    Raises:
        InputError: no repository, no cdk.json, an unknown reference, no common commit, or a failed synthesis.
    """
    root = _root(folder)
    within = folder.resolve().relative_to(root)
    if not (folder / "cdk.json").is_file():
        raise InputError(f"{folder}: no cdk.json; run this in the folder of a CDK app, or name it with --app-folder")
    commit = _common_commit(root, reference)
    cache = Path(_git(root, "rev-parse", "--git-common-dir"))
    cache = (cache if cache.is_absolute() else root / cache) / "cdk-review"
    # Each synthesis uses one core.
    with TemporaryDirectory(prefix="cdk-review-") as work, ThreadPoolExecutor(max_workers=1) as beside:
        key_of_head = _key(root, _working_tree(root), within)
        key_of_base = _key(root, _git(root, "rev-parse", f"{commit}^{{tree}}"), within)

        def synthesised_head() -> Path:
            made = Path(work) / "head"
            _synthesise(folder, made, environment=dict(os.environ), what="the working tree")
            # If files were edited during the synthesis, it is not cached, because the sources that it read are unknown.
            edited = _key(root, _working_tree(root), within) != key_of_head
            return made if edited else _keep(cache, key_of_head, made)

        kept_head = _kept(cache, key_of_head)
        if kept_head is None:
            say("synthesising the working tree")
        making = beside.submit(lambda: kept_head or synthesised_head())
        base = _kept(cache, key_of_base)
        if base is None:
            checkout = Path(work) / "checkout"
            with _checked_out(root, commit, checkout):
                environment = _environment_of(root, checkout, within, work=Path(work), say=say)
                say(f"synthesising {reference} ({commit[:10]})")
                made = Path(work) / "base"
                _synthesise(checkout / within, made, environment=environment, what=f"{reference} ({commit[:10]})")
            base = _keep(cache, key_of_base, made)
        yield Sides(base=base, head=making.result(), base_commit=commit)


def _root(folder: Path) -> Path:
    if shutil.which("git") is None:
        raise InputError("git: not on PATH; install it, or give two cloud assemblies")
    if not folder.is_dir():
        raise InputError(f"{folder}: no folder; allowed: the folder of a CDK app")
    found = _run(["git", "rev-parse", "--show-toplevel"], folder)
    if found.returncode != 0:
        raise InputError(f"{folder}: not within a Git repository; give two cloud assemblies instead")
    return Path(found.stdout.strip()).resolve()


def _common_commit(root: Path, reference: str) -> str:
    if reference.startswith("-"):
        raise InputError(f"git: got {reference[:40]}; allowed: a branch, a tag or a commit")
    named = _run(["git", "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"], root)
    shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true"
    advice = "the clone is shallow: fetch with full history (actions/checkout: fetch-depth: 0)"
    if named.returncode != 0:
        raise InputError(f"git: {reference[:80]} is unknown here; {advice if shallow else 'run `git fetch` first'}")
    found = _run(["git", "merge-base", named.stdout.strip(), "HEAD"], root)
    if found.returncode != 0:
        further = advice if shallow else "name a branch that shares history with this one"
        raise InputError(f"git: HEAD and {reference[:80]} have no common ancestor; {further}")
    return found.stdout.strip()


def _working_tree(root: Path) -> str:
    """The tree hash that a commit of all files would have; does not change the repository's index."""
    with TemporaryDirectory(prefix="cdk-review-index-") as folder:
        environment = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        index = Path(_git(root, "rev-parse", "--git-path", "index"))
        index = index if index.is_absolute() else root / index
        if index.is_file():
            # With a copy of the index, Git reads only changed files. The index's modification time is copied too,
            # because Git reads files that are as new as the index.
            shutil.copy2(index, environment["GIT_INDEX_FILE"])
        for command in (["git", "add", "--all"], ["git", "write-tree"]):
            done = _run(command, root, environment)
            if done.returncode != 0:
                raise InputError(f"git: {_last_line(done.stderr)}; the working tree cannot be read")
    return done.stdout.strip()


def _key(root: Path, tree: str, within: Path) -> str:
    """The cache key of a synthesis: the sources, the app's folder, and the machine's settings that may affect it."""
    return sha256(json.dumps([tree, str(within), sysconfig.get_platform(), str(root)]).encode()).hexdigest()[:32]


def _kept(cache: Path, key: str) -> Path | None:
    folder = cache / key
    return folder if (folder / "manifest.json").is_file() else None


def _keep(cache: Path, key: str, made: Path) -> Path:
    """Moves an assembly's templates to the cache; assets are large and not needed."""
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="keep-", dir=cache) as folder:
        kept = Path(folder) / "assembly"
        shutil.copytree(made, kept, ignore=_assets)
        target = cache / key
        try:
            kept.rename(target)
        except OSError:
            # The other side or another review has the same tree and cached it first.
            if not target.exists():
                raise
    for old in sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime)[:-20]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def _assets(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name.startswith("asset.") and not name.endswith(".json")}


@contextmanager
def _checked_out(root: Path, commit: str, checkout: Path) -> Iterator[None]:
    done = _run(["git", "worktree", "add", "--detach", "--quiet", str(checkout), commit], root)
    if done.returncode != 0:
        raise InputError(f"git: {_last_line(done.stderr)}; {commit[:10]} cannot be checked out")
    try:
        yield
    finally:
        _run(["git", "worktree", "remove", "--force", str(checkout)], root)


def _environment_of(
    root: Path, checkout: Path, within: Path, *, work: Path, say: Callable[[str], None]
) -> dict[str, str]:
    """The environment of the side before: its own sources first, and its own packages if its lock files differ."""
    environment = dict(os.environ)
    app = checkout / within
    python_lock = _lock(app, checkout, PYTHON_LOCKS)
    if python_lock is not None and _differs(python_lock, checkout, root):
        say("installing the Python packages of the side before")
        environment |= _own_python(python_lock, work)
    environment["PYTHONPATH"] = os.pathsep.join(map(str, _own_sources(root, checkout, environment)))
    node_lock = _lock(app, checkout, NODE_LOCKS)
    if node_lock is not None:
        modules = root / node_lock.parent.relative_to(checkout) / "node_modules"
        if _differs(node_lock, checkout, root) or not modules.is_dir() or _points_into(modules, root):
            say("installing the Node packages of the side before")
            _must(NODE_INSTALLS[node_lock.name], node_lock.parent, environment)
        else:
            (node_lock.parent / "node_modules").symlink_to(modules, target_is_directory=True)
    binaries = [str(folder / "node_modules" / ".bin") for folder in dict.fromkeys((app, checkout))]
    environment["PATH"] = os.pathsep.join([*binaries, environment.get("PATH", os.defpath)])
    return environment


def _lock(app: Path, checkout: Path, names: tuple[str, ...]) -> Path | None:
    for folder in dict.fromkeys((app, checkout)):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def _differs(lock: Path, checkout: Path, root: Path) -> bool:
    other = root / lock.relative_to(checkout)
    return not other.is_file() or other.read_bytes() != lock.read_bytes()


def _points_into(modules: Path, root: Path) -> bool:
    """Whether packages are links into the repository, as in a workspace: they would have the state after the change."""
    packages = [path for path in modules.iterdir() if not path.name.startswith(".")]
    packages += [path for scope in packages if scope.name.startswith("@") for path in scope.iterdir()]
    return any(path.is_symlink() and root in path.resolve().parents for path in packages)


def _own_python(lock: Path, work: Path) -> dict[str, str]:
    if lock.name != "requirements.txt":
        raise InputError(
            f"{lock.name}: differs between the two sides, and only requirements.txt is installed by this command; "
            "synthesise both sides yourself and give two cloud assemblies"
        )
    venv = work / "venv"
    python = shutil.which("python3") or "python3"
    _must([python, "-m", "venv", str(venv)], lock.parent, dict(os.environ))
    _must(
        [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", str(lock)],
        lock.parent,
        dict(os.environ),
    )
    path = f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {"VIRTUAL_ENV": str(venv), "PATH": path}


def _own_sources(root: Path, checkout: Path, environment: Mapping[str, str]) -> list[Path]:
    """The import path of the side before, which precedes all others.

    An editable install, a .pth file or a PYTHONPATH with a folder of the repository would import the sources after the
    change; each such folder is replaced by that of the checkout.
    """
    asked = _run(
        ["python3", "-c", "import json, sys; print(json.dumps(sys.path))"],
        root,
        environment,
    )
    paths: list[str] = json.loads(asked.stdout) if asked.returncode == 0 else []
    given = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    found = [checkout]
    for path in (*given, *paths):
        folder = Path(path).resolve() if path else root
        inside = folder == root or root in folder.parents
        installed = "site-packages" in folder.parts or "dist-packages" in folder.parts
        if inside and not installed and ".venv" not in folder.relative_to(root).parts:
            twin = checkout / folder.relative_to(root)
            if twin.is_dir():
                found.append(twin)
        elif path in given:
            found.append(folder)
    for folder in _mapped_by_finders(root, paths):
        twin = checkout / folder.relative_to(root)
        found.append(twin.parent)
    return list(dict.fromkeys(found))


def _mapped_by_finders(root: Path, paths: list[str]) -> Iterator[Path]:
    """The packages in the repository to which setuptools' finders of editable installs point."""
    for path in paths:
        for finder in Path(path).glob("__editable___*_finder.py") if path and Path(path).is_dir() else []:
            for line in finder.read_text(encoding="utf-8", errors="replace").splitlines():
                if not line.startswith("MAPPING"):
                    continue
                for part in line.split("'"):
                    folder = Path(part)
                    if folder.is_absolute() and root in folder.resolve().parents:
                        yield folder.resolve()


def _synthesise(app: Path, output: Path, *, environment: dict[str, str], what: str) -> None:
    search = os.pathsep.join(
        [
            *(str(folder / "node_modules" / ".bin") for folder in (app, *app.parents)),
            environment.get("PATH", os.defpath),
        ]
    )
    cdk = shutil.which("cdk", path=search)
    if cdk is None:
        raise InputError("cdk: not on PATH nor in node_modules; run `npm install` first")
    environment = {
        **environment,
        "PATH": search,
        "CI": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        # This run must not write byte code into either tree.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = _run([cdk, "synth", "--quiet", "--no-notices", "--output", str(output)], app, environment)
    if done.returncode != 0:
        raise InputError(f"{what}: `cdk synth` ended with {done.returncode} ({_last_line(done.stderr)})")


def _must(command: list[str], cwd: Path, environment: dict[str, str]) -> None:
    done = _run(command, cwd, environment)
    if done.returncode != 0:
        raise InputError(
            f"{' '.join(command[:3])}: ended with {done.returncode} ({_last_line(done.stderr or done.stdout)})"
        )


def _git(root: Path, *arguments: str) -> str:
    done = _run(["git", *arguments], root)
    if done.returncode != 0:
        raise InputError(f"git {arguments[0]}: {_last_line(done.stderr)}")
    return done.stdout.strip()


def _run(
    command: list[str], cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=None if environment is None else dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as fault:
        raise InputError(f"{command[0]}: cannot be started ({fault.strerror})") from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The CDK's last line only says that the app failed; the reason is above it.
    told = [line for line in lines if "Error" in line and "Subprocess exited" not in line]
    return ((told or lines or ["no message"])[-1])[:160]
