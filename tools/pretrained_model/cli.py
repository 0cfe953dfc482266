"""The command `pretrained-model`."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Annotated

import typer

from pretrained_model.hub import HUB, Commit, sha256_of
from pretrained_model.pin import Pin
from pretrained_model.refusal import RefusalError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

PinFile = Annotated[Path, typer.Option("--pin", help="The file that names model, commit and hashes.")]
Folder = Annotated[Path, typer.Option(help="Where the files are kept on this machine.")]
_PIN = Path("container/training/pretrained_model.json")
_FOLDER = Path("build/pretrained-model")


@app.command()
def fetch(
    pin: PinFile = _PIN,
    folder: Folder = _FOLDER,
    name: Annotated[str | None, typer.Option(help="Pin another model of the hub, with --revision.")] = None,
    revision: Annotated[str | None, typer.Option(help="Its commit, 40 hexadecimal digits.")] = None,
    hub: Annotated[str, typer.Option(help="The hub's address.")] = HUB,
) -> None:
    """Fetch the pinned pretrained model once; the first time, record the hashes of its files."""
    if revision is None and name is not None:
        raise RefusalError(f"--name is {name}: give its commit with --revision")
    pinned = Pin.read(pin)
    if revision is not None:
        pinned = Pin(name=name or pinned.name, revision=revision)
    _fetch(pinned, pin, folder, hub)


@app.command()
def upload(
    bucket: Annotated[str, typer.Argument(help="The data bucket: the output DataBucketName of the model's stack.")],
    pin: PinFile = _PIN,
    folder: Folder = _FOLDER,
    hub: Annotated[str, typer.Option(help="The hub's address, where the files are not here yet.")] = HUB,
) -> None:
    """Upload the pretrained model to the data bucket, where training jobs find it; existing files are kept."""
    pinned = Pin.read(pin)
    if not pinned.files:
        raise RefusalError(
            f"{pin} has no hashes yet: run `pretrained-model fetch`, commit the file and deploy; then upload"
        )
    _fetch(pinned, pin, folder, hub)
    # Its import takes half a second.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = boto3.client("s3")
    try:
        for file, sha256 in pinned.files.items():
            key = f"{pinned.prefix}{file}"
            checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
            if _there(s3, bucket, key, checksum):
                typer.echo(f"there      s3://{bucket}/{key}")
                continue
            with (folder / pinned.revision / file).open("rb") as body:
                # In one request, whose hash S3 checks; it allows up to 5 GB.
                s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=checksum)
            typer.echo(f"uploaded   s3://{bucket}/{key}")
    except (BotoCoreError, ClientError) as fault:
        raise RefusalError(f"s3://{bucket}/{pinned.prefix}: {fault}") from None


def _fetch(pinned: Pin, pin: Path, folder: Path, hub: str) -> None:
    kept = folder / pinned.revision
    here = {file: kept / file for file in pinned.files}
    if here and all(path.exists() and sha256_of(path) == pinned.files[file] for file, path in here.items()):
        typer.echo(f"here       {kept}: {pinned.name}, commit {pinned.revision}")
        return
    kept.mkdir(parents=True, exist_ok=True)
    commit = Commit(hub, name=pinned.name, revision=pinned.revision)
    listed = commit.listed()
    if missing := sorted(set(pinned.files) - set(listed)):
        raise RefusalError(f"commit {pinned.revision} of {pinned.name} has no {', '.join(missing)}, which {pin} names")
    found = {}
    for file in pinned.files or listed:
        found[file] = commit.fetch(file, listed[file], kept / file)
        if pinned.files and found[file] != pinned.files[file]:
            (kept / file).unlink()
            raise RefusalError(f"{file} has the SHA-256 {found[file]}; {pin} says {pinned.files[file]}: it was changed")
        typer.echo(f"fetched    {kept / file}  {found[file]}")
    if not pinned.files:
        Pin(name=pinned.name, revision=pinned.revision, files=found).write(pin)
        typer.echo(f"pinned     {pin}: commit it, and deploy, as the training image carries it")


def _there(s3: object, bucket: str, key: str, checksum: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")  # type: ignore[attr-defined]
    except ClientError as fault:
        if fault.response["Error"]["Code"] not in ("404", "403"):
            raise
        return False
    return bool(found.get("ChecksumSHA256") == checksum)


def main() -> None:
    try:
        app()
    except RefusalError as fault:
        sys.exit(str(fault))
