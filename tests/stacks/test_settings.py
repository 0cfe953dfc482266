import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.settings import Settings, SettingsError, load_settings

CONTEXT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]

COGNITO = {
    "reviewers.sign_in": "cognito",
    "reviewers.cognito_user_pool_arn": "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_example",
    "reviewers.cognito_client_id": "client",
    "reviewers.cognito_domain": "reviewers-example",
}

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
ENDPOINTS = {
    "network.vpc_endpoints": "true",
    "network.s3_prefix_list": "pl-1a2b3c",
    "network.dynamodb_prefix_list": "pl-4d5e6f",
}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_environment_of_cdk_json_is_valid(environment: str) -> None:
    settings = load_settings({**CONTEXT, "environment": environment})
    assert settings.environment == environment
    assert settings.service.min_tasks <= settings.service.max_tasks


def test_a_single_value_is_replaced_from_the_command_line() -> None:
    settings = load_settings({**CONTEXT, "service.max_tasks": "12", "model.recipe": "bert"})
    assert settings.service.max_tasks == 12
    assert settings.model.recipe == "bert"
    assert settings.service.min_tasks == load_settings(CONTEXT).service.min_tasks


def test_a_local_zone_is_a_zone_of_its_region() -> None:
    zones = ["us-east-1a", "us-east-1-bos-1a"]
    assert load_settings({**CONTEXT, "availability_zones": json.dumps(zones)}).availability_zones == zones


def test_the_context_itself_is_left_as_it_was() -> None:
    before = json.dumps(CONTEXT)
    load_settings({**CONTEXT, "service.max_tasks": "12"})
    assert json.dumps(CONTEXT) == before


def test_the_cdks_own_context_is_not_taken_for_settings() -> None:
    look_up = {
        "availability-zones:account=123456789012:region=us-east-1": ["us-east-1a"],
        "aws:cdk:bundling-stacks": [],
    }
    assert load_settings({**CONTEXT, **look_up}) == load_settings(CONTEXT)


@pytest.mark.parametrize(
    ("given_context", "message"),
    [
        ({"environment": "test"}, "environment: got 'test', allowed: dev, prod"),
        ({"environment": None}, "environment: got None, allowed: dev, prod"),
        (
            {"service.min_task": "4"},
            "service.min_task: got 4, but there is no such setting; did you mean service.min_tasks?",
        ),
        ({"min_tasks": "4"}, "min_tasks: got 4, but there is no such setting; did you mean service.min_tasks?"),
        ({"servise.min_tasks": "4"}, "did you mean service.min_tasks?"),
        ({"service.min_tasks": "many"}, 'service.min_tasks: got "many", allowed: a whole number from 1 to 5000'),
        ({"service.min_tasks": "2.5"}, "service.min_tasks: got 2.5, allowed: a whole number from 1 to 5000"),
        ({"service.min_tasks": "true"}, "service.min_tasks: got true, allowed: a whole number from 1 to 5000"),
        ({"service.min_tasks": "40"}, "service.min_tasks: got 40, allowed: at most max_tasks (10)"),
        ({"model.keep_releases": "1"}, "model.keep_releases: got 1, allowed: a whole number from 2 to 100"),
        (
            {"model.traffic_shifting": "canary"},
            'model.traffic_shifting: got "canary", allowed: all_at_once at endpoint_instances=1',
        ),
        ({"model.release_schedule": "weekly"}, "model.release_schedule: got 'weekly', allowed: rate(1 day), rate(7 da"),
        ({"model.release_schedule": "cron(0 3 * * MON *)"}, "model.release_schedule: got 'cron(0 3 * * MON *)', allo"),
        (
            {"model.start_on_new_labels": "0"},
            "model.start_on_new_labels: got 0, allowed: a whole number from 1 to 1000000 or null",
        ),
        (
            {"service.target_percent": "80"},
            "service.spike_threshold_percent: got 80, allowed: above the tracked average CPU of 80 %",
        ),
        (
            {"service.tuner_ceiling_percent": "67"},
            "service.tuner_ceiling_percent: got 67, allowed: at most 66 %, 95% of the 80 % from where the hottest",
        ),
        (
            {"service.tuner_ceiling_percent": "50"},
            "service.tuner_ceiling_percent: got 50, allowed: at least the target that is declared, 60 %; raise it or",
        ),
        ({"service.cpu": "300"}, "service.cpu: got 300, allowed: 256, 512, 1024"),
        (
            {"service.cpu": "256", "service.memory_mib": "1536"},
            "service.memory_mib: got 1536, allowed: 512, 1024, 2048 with cpu=256; choose one, or another cpu; ",
        ),
        (
            {"service.memory_mib": "1000"},
            "service.memory_mib: got 1000, allowed: 1024 to 4096 in steps of 1024 with cpu=512",
        ),
        ({"service": "3"}, "service: got 3, allowed: an object"),
        ({"service.usd_vcpu_hour": "0"}, "service.usd_vcpu_hour: got 0, allowed: a number above 0 and below 100"),
        ({"service.certificate_arn": "mine"}, 'service.certificate_arn: got "mine", allowed: text like ^arn:aws'),
        (
            {"reviewers.sign_in": "cognito"},
            "reviewers.cognito_user_pool_arn: got nothing, allowed: a value, which sign_in=cognito needs",
        ),
        ({"reviewers.ttl_days": "0"}, "reviewers.ttl_days: got 0, allowed: a whole number from 1 to 3650 or null"),
        (
            {"reviewers.minimum_recall": "0.5"},
            "reviewers.minimum_recall: got 0.5, allowed: a number from 1 to 100 or null",
        ),
        (
            {"reviewers.release_when_worse": "true"},
            "reviewers.release_when_worse: got true, allowed: false without minimum_precision and minimum_recall; give",
        ),
        (
            {"model.maximum_score_drift": "0.2"},
            "model.maximum_score_drift: got 0.2, allowed: a number from 1 to 100 or null",
        ),
        (
            {
                "model.maximum_score_drift": "null",
                "model.maximum_length_drift": "null",
                "model.maximum_vocabulary_drift": "null",
                "model.release_when_drifted": "true",
            },
            "release_when_drifted: got true, allowed: false without maximum_score_drift, maximum_length_drift, ",
        ),
        ({"reviewers.sign_in": "saml"}, 'reviewers.sign_in: got "saml", allowed: none, oidc, cognito'),
        ({"reviewers.oidc_issuer": "http://a"}, 'reviewers.oidc_issuer: got "http://a", allowed: text like ^https://'),
        (COGNITO, 'reviewers.sign_in: got "cognito", allowed: none without service.certificate_arn'),
        (
            {"reviewers.required_claim": "groups"},
            "reviewers.required_claim_value: got nothing, allowed: a value; required_claim and its value go together",
        ),
        (
            {"reviewers.subjects": '["hana"]', "reviewers.required_group": "moderators"},
            "reviewers.subjects: got a value beside required_group, allowed: one way to say who is a reviewer",
        ),
        ({"reviewers.subjects": '["hana ken"]'}, 'reviewers.subjects.0: got "hana ken", allowed: text like ^['),
        ({"reviewers.subjects": "hana"}, 'reviewers.subjects: got "hana", allowed: a list of 1 to 1000 or null'),
        ({"reviewers.oauth_scope": "email"}, 'reviewers.oauth_scope: got "email", allowed: text like ^'),
        (
            {"reviewers.max_changed_percent": "101"},
            "reviewers.max_changed_percent: got 101, allowed: a number from 0 to 100",
        ),
        ({"model.minimum_auc": "2"}, "model.minimum_auc: got 2, allowed: a number from 0 to 1"),
        ({"model.recipe": "svm"}, 'model.recipe: got "svm", allowed: linear, bert, student'),
        (
            {"model.unlabelled_posts": "true"},
            "model.unlabelled_posts: got true, allowed: false with recipe=linear; student alone learns from them",
        ),
        ({"network.nat_gateways": "3"}, "network.nat_gateways: got 3, allowed: at most one an availability zone (2)"),
        ({"network.nat_gateways": "0"}, "network.nat_gateways: got 0, allowed: at least 1 without vpc_endpoints"),
        (
            {**ENDPOINTS, **COGNITO, "service.certificate_arn": CERTIFICATE, "network.nat_gateways": "0"},
            "network.nat_gateways: got 0, allowed: at least 1 with reviewers.sign_in",
        ),
        ({"network.vpc_endpoints": "true"}, "network.s3_prefix_list: got nothing, allowed: the id that"),
        (
            {**ENDPOINTS, "network.dynamodb_prefix_list": "dynamodb"},
            'network.dynamodb_prefix_list: got "dynamodb", allowed: text like ^pl-',
        ),
        (
            {"service.requests_per_minute": "5"},
            "service.requests_per_minute: got 5, allowed: a whole number from 10 to 2000000000 or null",
        ),
        ({"reviewers.daily_quota": "0"}, "reviewers.daily_quota: got 0, allowed: a whole number from 1 to 100000000"),
        ({"network.cidr": "300.0.0.0/16"}, "network.cidr: got '300.0.0.0/16', allowed: an IPv4 range of /16 to /26"),
        ({"network.cidr": "10.0.0.0/27"}, "network.cidr: got '10.0.0.0/27', allowed: an IPv4 range of /16 to /26"),
        (
            {"service.certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            "allowed: one of region us-east-1, where the load balancer is",
        ),
        ({"availability_zones": '["us-east-1a", "us-east-12"]'}, "allowed: different zones of region us-east-1"),
        ({"reviewers.oidc_client_id": '""'}, 'reviewers.oidc_client_id: got "", allowed: non-empty text or null'),
        ({"reviewers.cognito_domain": " "}, 'reviewers.cognito_domain: got " ", allowed: non-empty text or null'),
        ({"region": "eu-west-1"}, "allowed: different zones of region eu-west-1"),
        ({"environments": {}}, "environments.dev: got nothing, allowed: an object of settings"),
    ],
)
def test_fails_when_a_setting_cannot_be_used(given_context: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({**CONTEXT, **given_context})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fails_when_a_setting_is_missing() -> None:
    dev = {**CONTEXT["environments"]["dev"]}
    del dev["region"]
    with pytest.raises(SettingsError, match=r"^region: got nothing, allowed: text like"):
        load_settings({**CONTEXT, "environments": {"dev": dev}})


@given(minimum=st.integers(-5, 30), maximum=st.integers(-5, 30))
def test_task_counts_are_accepted_exactly_when_they_are_possible(minimum: int, maximum: int) -> None:
    context = {**CONTEXT, "service.min_tasks": str(minimum), "service.max_tasks": str(maximum)}
    if 1 <= minimum <= maximum:
        assert load_settings(context).service.min_tasks == minimum
    else:
        with pytest.raises(SettingsError, match=r"service\.m(in|ax)_tasks: got"):
            load_settings(context)


@given(key=st.text(st.characters(codec="ascii", exclude_characters="@:"), min_size=1), value=st.text())
def test_any_other_key_is_refused_in_one_line(key: str, value: str) -> None:
    if key in ("environment", "environments", "tree", *Settings.model_fields):
        return
    with pytest.raises(SettingsError) as caught:
        load_settings({**CONTEXT, key: value})
    assert "\n" not in str(caught.value) or "\n" in key


CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
SIGNED_IN = {**COGNITO, "service.certificate_arn": CERTIFICATE}


def test_whoever_the_provider_knows_reviews_nothing_that_is_kept() -> None:
    kept = {**CONTEXT, **SIGNED_IN, "removal_policy": "retain"}
    with pytest.raises(
        SettingsError, match=r'^reviewers.sign_in: got "cognito" for whoever the provider knows'
    ) as fault:
        load_settings(kept)
    assert "\n" not in str(fault.value)
    # In an environment that is thrown away the app warns, and that is all.
    assert not load_settings({**CONTEXT, **SIGNED_IN}).reviewers.names_reviewers
    for named in (
        {"reviewers.required_group": "moderators"},
        {"reviewers.required_claim": "groups", "reviewers.required_claim_value": "moderators"},
        {"reviewers.subjects": '["hana", "ken"]'},
    ):
        assert load_settings({**kept, **named}).reviewers.names_reviewers


def test_without_a_sign_in_what_is_kept_needs_no_reviewers() -> None:
    assert load_settings({**CONTEXT, "environment": "prod"}).reviewers.sign_in == "none"


def test_a_group_is_a_user_pools() -> None:
    provider = {f"reviewers.oidc_{name}": "https://id.example" for name in OIDC}
    given = {**CONTEXT, **provider, "reviewers.sign_in": "oidc", "reviewers.required_group": "moderators"}
    with pytest.raises(SettingsError, match=r"required_group: got a value, allowed: none with sign_in=oidc"):
        load_settings(given)


OIDC = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "user_info_endpoint",
    "client_id",
    "client_secret_name",
)
