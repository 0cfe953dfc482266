"""The reference system's settings: one validated object per environment, read from the CDK context.

`cdk.json` holds every value under `environments.<name>`; `-c environment=prod` picks one, `-c service.min_tasks=4`
replaces a single value.
"""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from cdk_fargate_sagemaker.fargate.service_vpc import check_addresses
from cdk_fargate_sagemaker.fargate.task_count import check_above_target, check_task_count
from cdk_fargate_sagemaker.fargate.task_size import check_task_size
from cdk_fargate_sagemaker.fargate.web_acl import FEWEST_REQUESTS, MOST_REQUESTS
from cdk_fargate_sagemaker.review.i_review_queue import LARGEST_QUOTA, LONGEST_TTL, MOST_DECISIONS_A_MINUTE
from cdk_fargate_sagemaker.review.oidc_identity import HTTPS_URL
from cdk_fargate_sagemaker.review.reviewer_access import SUBJECT
from cdk_fargate_sagemaker.sagemaker.machines._instance_type import INSTANCE_TYPE
from cdk_fargate_sagemaker.sagemaker.release._release_arguments import LEAST_KEPT, check_schedule
from cdk_fargate_sagemaker.tuning.tuner_settings import check_ceiling

EnvironmentName = Literal["dev", "prod"]
Percent = Annotated[int, Field(ge=1, le=100)]
_ANY_LETTER = r"\S"
Text = Annotated[str, StringConstraints(pattern=_ANY_LETTER)]
Subject = Annotated[str, StringConstraints(pattern=f"^{SUBJECT}$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=f"^{HTTPS_URL}$")]
CertificateArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+$")]
UserPoolArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:\d{12}:userpool/\S+$")]
PrefixList = Annotated[str, StringConstraints(pattern=r"^pl-[0-9a-f]+$")]
InstanceType = Annotated[str, StringConstraints(pattern=f"^{INSTANCE_TYPE}$")]


class SettingsError(ValueError):
    """A setting is invalid. The message is one line: its key, its value, what is allowed, and where to correct it."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NetworkSettings(_Section):
    """The VPC's address range, its number of NAT gateways (at most one per availability zone), and its endpoints.

    With `vpc_endpoints` the tasks call AWS through endpoints, and their security group allows no other connections;
    this needs the ids of the region's prefix lists of S3 and DynamoDB. Without it they connect to any address over
    HTTPS.
    """

    cidr: str
    nat_gateways: Annotated[int, Field(ge=0, le=6)]
    vpc_endpoints: bool = False
    s3_prefix_list: PrefixList | None = None
    dynamodb_prefix_list: PrefixList | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.nat_gateways == 0 and not self.vpc_endpoints:
            raise ValueError("nat_gateways: got 0, allowed: at least 1 without vpc_endpoints; else tasks reach nothing")
        for name in ("s3_prefix_list", "dynamodb_prefix_list") if self.vpc_endpoints else ():
            if getattr(self, name) is None:
                raise ValueError(
                    f"{name}: got nothing, allowed: the id that `aws ec2 describe-managed-prefix-lists` prints for the "
                    "region, which vpc_endpoints needs"
                )
        return self


class ServiceSettings(_Section):
    """The ML API's Fargate service: task size, scaling, and how it answers requests.

    `requests_per_minute` is how many requests one address may send. It adds a web application firewall, which also
    refuses bodies above 8 KiB. null: no firewall.
    """

    cpu: int
    memory_mib: int
    min_tasks: Annotated[int, Field(ge=1, le=5000)]
    max_tasks: Annotated[int, Field(ge=1, le=5000)]
    target_percent: Percent
    spike_threshold_percent: Percent
    spike_tasks: Annotated[int, Field(ge=1, le=1000)]
    tuner_ceiling_percent: Percent | None = None
    flag_threshold: Annotated[float, Field(ge=0, le=1)]
    deadline_ms: Annotated[int, Field(ge=50, le=60_000)]
    fallback_policy: Literal["flag", "pass", "error"]
    requests_per_minute: Annotated[int, Field(ge=FEWEST_REQUESTS, le=MOST_REQUESTS)] | None = None
    certificate_arn: CertificateArn | None = None
    usd_vcpu_hour: Annotated[float, Field(gt=0, lt=100)]
    usd_gib_hour: Annotated[float, Field(gt=0, lt=100)]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        check_task_size(cpu=self.cpu, memory_mib=self.memory_mib)
        check_task_count(self.min_tasks, self.max_tasks)
        check_above_target(self.spike_threshold_percent, self.target_percent, "spike_threshold_percent")
        ceiling = self.tuner_ceiling_percent
        if ceiling is not None:
            check_ceiling(
                "tuner_ceiling_percent",
                ceiling,
                target=self.target_percent,
                spike_thresholds=[self.spike_threshold_percent],
            )
        return self


class ReviewerSettings(_Section):
    """Which posts are reviewed, and who reviews them: no one, or users whom OpenID Connect or Cognito identifies.

    `sample_percent` of the posts that are not flagged are reviewed too. Two reviewers decide on `second_percent` of
    all. A post without a decision is deleted after `ttl_days`; null: never. At most `daily_quota` posts per day are
    stored.

    A reviewer may make at most `decisions_a_minute` decisions per minute.

    A release is refused in two cases. Reviewers changed at least `min_changed` labels and more than
    `max_changed_percent` of the base data's labels. Reviewers gave at least `min_labels` labels, and one reviewer gave
    more than `max_reviewer_percent` of them.

    An alarm fires when, by the reviewers' decisions, less than `minimum_precision` percent of the flagged posts are
    violations, or less than `minimum_recall` percent of the violations are flagged; null: no alarm. With
    `release_when_worse` the alarm starts a release too.

    A user of the provider is a reviewer if the user's claim `required_claim` is `required_claim_value`, the user is in
    the user pool's `required_group`, or `subjects` lists the user. `oauth_scope` is the scope requested from the
    provider.

    `oidc_client_secret_name` is the name of a secret in Secrets Manager that holds the client secret as plain text.
    """

    sample_percent: Annotated[float, Field(ge=0, le=100)]
    second_percent: Annotated[float, Field(ge=0, le=100)]
    ttl_days: Annotated[int, Field(ge=1, le=int(LONGEST_TTL.to_days()))] | None = 90
    daily_quota: Annotated[int, Field(ge=1, le=LARGEST_QUOTA)] = 100_000
    decisions_a_minute: Annotated[int, Field(ge=1, le=MOST_DECISIONS_A_MINUTE)] = 60
    max_changed_percent: Annotated[float, Field(ge=0, le=100)] = 10
    min_changed: Annotated[int, Field(ge=0, le=1_000_000)] = 20
    max_reviewer_percent: Annotated[float, Field(ge=0, le=100)] = 60
    min_labels: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    minimum_precision: Annotated[float, Field(ge=1, le=100)] | None = None
    minimum_recall: Annotated[float, Field(ge=1, le=100)] | None = None
    release_when_worse: bool = False
    sign_in: Literal["none", "oidc", "cognito"]
    oidc_issuer: HttpsUrl | None = None
    oidc_authorization_endpoint: HttpsUrl | None = None
    oidc_token_endpoint: HttpsUrl | None = None
    oidc_user_info_endpoint: HttpsUrl | None = None
    oidc_client_id: Text | None = None
    oidc_client_secret_name: Text | None = None
    cognito_user_pool_arn: UserPoolArn | None = None
    cognito_client_id: Text | None = None
    cognito_domain: Text | None = None
    required_claim: Text | None = None
    required_claim_value: Text | None = None
    required_group: Text | None = None
    subjects: Annotated[list[Subject], Field(min_length=1, max_length=1000)] | None = None
    oauth_scope: Annotated[str, StringConstraints(pattern=r"^(\S+ )*openid( \S+)*$")] = "openid email"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        wanted = [name for name in type(self).model_fields if name.startswith(f"{self.sign_in}_")]
        for name in wanted:
            if not getattr(self, name):
                raise ValueError(f"{name}: got nothing, allowed: a value, which sign_in={self.sign_in} needs")
        if (self.required_claim is None) != (self.required_claim_value is None):
            missing = "required_claim" if self.required_claim is None else "required_claim_value"
            raise ValueError(f"{missing}: got nothing, allowed: a value; required_claim and its value go together")
        if self.release_when_worse and self.minimum_precision is None and self.minimum_recall is None:
            raise ValueError(
                "release_when_worse: got true, allowed: false without minimum_precision and minimum_recall; give one"
            )
        ways = [name for name in ("required_claim", "required_group", "subjects") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"{ways[1]}: got a value beside {ways[0]}, allowed: one way to say who is a reviewer")
        if self.required_group is not None and self.sign_in == "oidc":
            raise ValueError(
                "required_group: got a value, allowed: none with sign_in=oidc; groups are a user pool's, give "
                "required_claim and required_claim_value"
            )
        return self

    @property
    def names_reviewers(self) -> bool:
        """Whether a setting restricts which of the provider's users are reviewers."""
        return any(way is not None for way in (self.required_claim, self.required_group, self.subjects))


class ModelSettings(_Section):
    """How the model is trained, judged, released and served.

    `traffic_shifting` is how requests move to a new model. `release_schedule` is EventBridge's `cron(…)` or `rate(…)`
    in UTC; null: no schedule. The next release starts after `start_on_new_labels` new labels from reviewers since the
    last good release; null: labels start none. With `unlabelled_posts` the recipe `student` learns from the posts in
    `unlabelled/` of the data bucket too.

    An alarm fires when the scores, the lengths or the vocabulary of served posts differ from those of the release's
    validation posts by more than `maximum_score_drift`, `maximum_length_drift` or `maximum_vocabulary_drift` percent;
    null: no alarm. With recipe `bert` or `student`, `maximum_first_stage_drift` is the same limit for the share of
    posts that a cascade's first stage answers. `violation_percent` is the share of violations in the served posts, if
    it differs from that in the labelled posts. With `release_when_drifted` such an alarm starts a release too.
    """

    recipe: Literal["linear", "bert", "student"]
    unlabelled_posts: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    training_instance_type: InstanceType
    endpoint_instance_type: InstanceType
    endpoint_instances: Annotated[int, Field(ge=1, le=100)]
    minimum_auc: Annotated[float, Field(ge=0, le=1)]
    maximum_auc_drop: Annotated[float, Field(ge=0, le=1)] | None = None
    traffic_shifting: Literal["all_at_once", "canary", "linear"]
    keep_releases: Annotated[int, Field(ge=LEAST_KEPT, le=100)]
    release_schedule: str | None = None
    start_on_new_posts: bool
    start_on_new_labels: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    maximum_score_drift: Annotated[float, Field(ge=1, le=100)] | None = 20
    maximum_length_drift: Annotated[float, Field(ge=1, le=100)] | None = 20
    maximum_vocabulary_drift: Annotated[float, Field(ge=1, le=100)] | None = 20
    maximum_first_stage_drift: Annotated[float, Field(ge=1, le=100)] | None = 20
    violation_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    release_when_drifted: bool = False

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.release_schedule is not None:
            check_schedule("release_schedule", self.release_schedule)
        if self.unlabelled_posts and self.recipe != "student":
            raise ValueError(
                f"unlabelled_posts: got true, allowed: false with recipe={self.recipe}; student alone learns from them"
            )
        if self.traffic_shifting != "all_at_once" and self.endpoint_instances < 2:
            raise ValueError(
                f"traffic_shifting: got {json.dumps(self.traffic_shifting)}, "
                f"allowed: all_at_once at endpoint_instances={self.endpoint_instances}; others shift from one instance "
                "to the next"
            )
        maxima = (
            self.maximum_score_drift,
            self.maximum_length_drift,
            self.maximum_vocabulary_drift,
            self.first_stage_drift_of_recipe,
        )
        if self.release_when_drifted and all(maximum is None for maximum in maxima):
            raise ValueError(
                "release_when_drifted: got true, allowed: false without maximum_score_drift, maximum_length_drift, "
                "maximum_vocabulary_drift, or maximum_first_stage_drift with a recipe other than linear; give one"
            )
        return self

    @property
    def first_stage_drift_of_recipe(self) -> float | None:
        """`maximum_first_stage_drift`; None for a recipe that never has a first stage."""
        return None if self.recipe == "linear" else self.maximum_first_stage_drift


class Settings(_Section):
    """Everything that differs between two environments."""

    environment: EnvironmentName
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    availability_zones: Annotated[list[str], Field(min_length=2, max_length=6)]
    removal_policy: Literal["destroy", "retain"]
    network: NetworkSettings
    service: ServiceSettings
    reviewers: ReviewerSettings
    model: ModelSettings

    @model_validator(mode="after")
    def _agree(self) -> Self:
        # A Local Zone's name continues with a hyphen, such as us-west-2-lax-1a.
        zone_of_region = re.compile(rf"{self.region}(?:[a-z]|-[a-z0-9-]+)")
        foreign = [zone for zone in self.availability_zones if not zone_of_region.fullmatch(zone)]
        if foreign or len(set(self.availability_zones)) < len(self.availability_zones):
            raise ValueError(
                f"availability_zones: got {json.dumps(self.availability_zones)}, "
                f"allowed: different zones of region {self.region}, as ['{self.region}a', '{self.region}c']"
            )
        check_addresses(self.network.cidr, self.availability_zones, name="network.cidr")
        certificate = self.service.certificate_arn
        if certificate is not None and certificate.split(":")[3] != self.region:
            raise ValueError(
                f"service.certificate_arn: got {json.dumps(certificate)}, allowed: one of region {self.region}, where "
                "the load balancer is"
            )
        if self.reviewers.sign_in != "none" and certificate is None:
            raise ValueError(
                f"reviewers.sign_in: got {json.dumps(self.reviewers.sign_in)}, "
                "allowed: none without service.certificate_arn; people sign in over HTTPS alone"
            )
        if self.reviewers.sign_in != "none" and self.network.nat_gateways == 0:
            raise ValueError(
                "network.nat_gateways: got 0, allowed: at least 1 with reviewers.sign_in, whose provider and keys are "
                "outside the VPC"
            )
        if self.reviewers.sign_in != "none" and self.removal_policy == "retain" and not self.reviewers.names_reviewers:
            raise ValueError(
                f"reviewers.sign_in: got {json.dumps(self.reviewers.sign_in)} for whoever the provider knows, "
                "allowed: with reviewers.required_claim, required_group or subjects where removal_policy is retain; "
                "labels train the model"
            )
        if self.network.nat_gateways > len(self.availability_zones):
            raise ValueError(
                f"network.nat_gateways: got {self.network.nat_gateways}, "
                f"allowed: at most one an availability zone ({len(self.availability_zones)})"
            )
        return self


def load_settings(context: Mapping[str, Any]) -> Settings:
    """The settings of `context["environment"]`, with the values that single context keys replace.

    Raises:
        SettingsError: an unknown environment or key, a wrong type, or values that contradict each other.
    """
    environment = context.get("environment")
    if environment not in get_args(EnvironmentName):
        raise SettingsError(
            f"environment: got {environment!r}, allowed: {', '.join(get_args(EnvironmentName))}; "
            "choose one with -c environment=dev"
        )
    environments = context.get("environments")
    values = environments.get(environment) if isinstance(environments, Mapping) else None
    if not isinstance(values, Mapping):
        raise SettingsError(
            f"environments.{environment}: got nothing, allowed: an object of settings; restore it in cdk.json"
        )
    values = {**json.loads(json.dumps(values)), "environment": environment}
    for key, value in _overrides(context):
        _replace(values, key, value)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        where = f"correct it in cdk.json (environments.{environment}) or with -c <key>=<value>"
        raise SettingsError(f"{'; '.join(_lines(error))}; {where}") from None


def _overrides(context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The context entries of this app. Feature flags and look-ups contain `@` or `:`; the app's entries never do."""
    for key, value in context.items():
        if key in ("environment", "environments", "tree", "acknowledged-issue-numbers") or "@" in key or ":" in key:
            continue
        yield key, _typed(value)


def _typed(value: Any) -> Any:
    """Parses a string from the command line: `4` is a number, `["a", "b"]` a list, anything else stays a string."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _replace(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    target: Any = values
    for section in sections:
        target = target.get(section) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise SettingsError(f"{key}: got {json.dumps(value)}, but there is no such setting{_suggestion(key)}")
    target[name] = value


def _lines(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "value_error":
            yield ".".join(filter(None, (key, str(fault["ctx"]["error"]))))
        elif fault["type"] == "extra_forbidden":
            yield f"{key}: got {json.dumps(fault['input'])}, but there is no such setting{_suggestion(key)}"
        elif fault["type"] == "missing":
            yield f"{key}: got nothing, allowed: {_allowed(key)}"
        else:
            yield f"{key}: got {json.dumps(fault['input'])}, allowed: {_allowed(key) or fault['msg']}"


def _suggestion(key: str) -> str:
    known = list(_keys(Settings))
    close = get_close_matches(key, known, n=1) or get_close_matches(key.rpartition(".")[2], known, n=1, cutoff=0.3)
    return f"; did you mean {close[0]}?" if close else f"; allowed: {', '.join(known)}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def _allowed(key: str) -> str:
    """What the JSON schema of `key` allows, in words."""
    schema = Settings.model_json_schema()
    node: dict[str, Any] = schema
    for part in key.split("."):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        if part.isdigit():
            node = next((option["items"] for option in node.get("anyOf", [node]) if "items" in option), node)
        else:
            node = node.get("properties", {}).get(part, {})
    return " or ".join(_words(option) for option in node.get("anyOf", [node]))


def _words(node: dict[str, Any]) -> str:
    if "enum" in node or "const" in node:
        return ", ".join(str(value) for value in node.get("enum", [node.get("const")]))
    nouns = {"integer": "a whole number", "number": "a number", "string": "text", "array": "a list", "null": "null"}
    words = nouns.get(cast(str, node.get("type")), "an object")
    least, most = node.get("minimum", node.get("minItems")), node.get("maximum", node.get("maxItems"))
    if "exclusiveMaximum" in node:
        most = node["exclusiveMaximum"] - 1
    if "exclusiveMinimum" in node and "exclusiveMaximum" in node and node["type"] == "number":
        return f"{words} above {node['exclusiveMinimum']:g} and below {node['exclusiveMaximum']:g}"
    if least is not None and most is not None:
        words += f" from {least} to {most}" if node["type"] != "array" else f" of {least} to {most}"
    if "pattern" in node:
        words = f"non-empty {words}" if node["pattern"] == _ANY_LETTER else f"{words} like {node['pattern']}"
    return words
