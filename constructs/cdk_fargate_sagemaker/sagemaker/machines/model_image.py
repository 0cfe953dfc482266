"""Container images that SageMaker runs."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Token
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from constructs import Construct

from ..._checks import check_interface, check_kind, check_sequence, refusal
from ..._resource_policy import open_to_account

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md
_TAG_OR_DIGEST = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}|sha256:[0-9a-f]{64}")

_DOCKER_MANIFEST = ("type=docker",)
"""Makes Docker's builder write Docker manifests. With the containerd image store, the default of new installations, it
would write OCI manifests, which SageMaker refuses. Attestations would turn any image into an OCI index; the CDK's
command line disables them (`BUILDX_NO_DEFAULT_ATTESTATIONS`)."""


class ModelImage(ABC):
    """A container image that SageMaker runs: one that trains a model, or one that serves it.

    SageMaker accepts only images whose manifest has the type `application/vnd.docker.distribution.manifest.v2+json`. It
    refuses others with `Unsupported manifest media type application/vnd.oci.image.manifest.v1+json`.

    Example:
        ```python
        serving = ModelImage.from_asset("container/inference", file="Dockerfile.cpu")
        training = ModelImage.from_ecr_repository(ecr.Repository(self, "Training"), "1.4.2")
        ```
    """

    @staticmethod
    def from_asset(
        directory: str | Path,
        *,
        file: str | None = None,
        platform: ecr_assets.Platform | None = None,
        build_args: Mapping[str, str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> "ModelImage":
        """Returns an image that the deployment builds from `directory` and pushes.

        Docker needs its builder `buildx`, which current installations have.

        Args:
            directory: the folder that is built, with the Dockerfile in it.
            file: the Dockerfile's path below it. Default: `Dockerfile`.
            platform: the platform of the image, which need not be that of the machine that builds it. Default:
                linux/amd64, the platform of most SageMaker instance types.
            build_args: the Dockerfile's arguments. Default: none.
            outputs: values of the builder's `--output`. Default: `type=docker`, with which Docker and Finch build an
                image that SageMaker accepts. Give an empty list for Podman, which has no such output, and set its
                `BUILDAH_FORMAT=docker`.

        Raises:
            InvalidArgumentError: a folder without that Dockerfile, or an argument of the wrong kind.
        """
        return _AssetImage(directory, file=file, platform=platform, build_args=build_args, outputs=outputs)

    @staticmethod
    def from_ecr_repository(repository: ecr.IRepository, tag_or_digest: str) -> "ModelImage":
        """Returns an image that is in ECR already.

        It must have been pushed with a Docker manifest: from the builder, as by

            docker buildx build --platform linux/amd64 --provenance=false \\
                --output type=image,oci-mediatypes=false,push=true --tag REPOSITORY:1.4.2 .

        or from the local image store, with `--provenance=false --output type=docker` and then `docker push`.
        `aws ecr describe-images` shows the manifest's type as `imageManifestMediaType`.

        The owner of a repository of another account, imported by its ARN, must allow this account to pull; the app
        warns with the statement to add.

        Args:
            repository: the repository of the image.
            tag_or_digest: the image's tag (`1.4.2`) or digest (`sha256:…`).

        Raises:
            InvalidArgumentError: a value that is not a repository, a tag or a digest.
        """
        return _RepositoryImage(repository, tag_or_digest)

    @abstractmethod
    def bind(self, scope: Construct, id: str, *, puller: iam.IGrantable) -> str:
        """Declares the image below `scope` if the deployment builds it, and allows `puller` to pull it.

        Args:
            scope: the construct that runs it.
            id: the image's id there.
            puller: the role with which SageMaker pulls it.

        Returns:
            The image's URI.
        """


class _AssetImage(ModelImage):
    def __init__(
        self,
        directory: str | Path,
        *,
        file: str | None,
        platform: ecr_assets.Platform | None,
        build_args: Mapping[str, str] | None,
        outputs: Sequence[str] | None,
    ) -> None:
        check_kind("directory", directory, (str, Path), "a folder's path")
        dockerfile = "Dockerfile" if file is None else file
        check_kind("file", dockerfile, str, "the Dockerfile's path below directory")
        self._directory = Path(directory)
        if not (self._directory / dockerfile).is_file():
            raise refusal(
                "directory",
                str(directory),
                f"a folder with {dockerfile} in it",
                "give the image's folder, and file=… where its Dockerfile has another name",
            )
        if platform is not None:
            check_kind("platform", platform, ecr_assets.Platform, "a Platform of aws_ecr_assets")
        if build_args is not None:
            check_kind("build_args", build_args, Mapping, "a mapping of names to texts")
            for name, value in build_args.items():
                check_kind(f"build_args[{name!r}]", value, str, "a text", "put it in quotes")
        self._file = file
        self._platform = platform or ecr_assets.Platform.LINUX_AMD64
        self._build_args = dict(build_args) if build_args else None
        self._outputs = check_sequence(
            "outputs", _DOCKER_MANIFEST if outputs is None else outputs, "a list of values of docker build --output"
        )

    def bind(self, scope: Construct, id: str, *, puller: iam.IGrantable) -> str:
        asset = ecr_assets.DockerImageAsset(
            scope,
            id,
            directory=str(self._directory),
            file=self._file,
            platform=self._platform,
            build_args=self._build_args,
            outputs=list(self._outputs) or None,
        )
        asset.repository.grant_pull(puller).assert_success()
        return asset.image_uri


class _RepositoryImage(ModelImage):
    def __init__(self, repository: ecr.IRepository, tag_or_digest: str) -> None:
        check_interface("repository", repository, "repository_uri_for_tag_or_digest", "a repository of aws_ecr")
        allowed = "a tag, as 1.4.2, or a digest, as sha256: and 64 digits"
        check_kind("tag_or_digest", tag_or_digest, str, allowed)
        if not Token.is_unresolved(tag_or_digest) and not _TAG_OR_DIGEST.fullmatch(tag_or_digest):
            raise refusal("tag_or_digest", tag_or_digest, allowed)
        self._repository = repository
        self._tag_or_digest = tag_or_digest

    def bind(self, scope: Construct, id: str, *, puller: iam.IGrantable) -> str:
        repository = self._repository
        repository.grant_pull(puller).assert_success()
        open_to_account(repository, repository.repository_arn, puller, _PULL)
        return self._repository.repository_uri_for_tag_or_digest(self._tag_or_digest)
