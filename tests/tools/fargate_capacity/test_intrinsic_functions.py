from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.dashboard_body import MetricWidget
from fargate_capacity.dashboards import find_dashboards
from fargate_capacity.intrinsic_functions import IntrinsicFunctions

_TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Target": {"Type": "Number", "Default": 55},
        "Live": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/shop/target"},
        "Unknown": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/elsewhere"},
        "Given": {"Type": "String"},
    },
    "Mappings": {"Sizes": {"eu-west-1": {"cpu": 512}}},
    "Resources": {
        "Api": {"Type": "AWS::ECS::Service", "Properties": {"ServiceName": "shop-api"}},
        "Web": {"Type": "AWS::ECS::Service", "Properties": {}},
        "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/shop/target", "Value": "61"}},
    },
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (5, "5"),
        ({"Ref": "Api"}, "shop-api"),
        ({"Ref": "Web"}, "${Web}"),
        ({"Fn::GetAtt": ["Api", "Name"]}, "shop-api"),
        ({"Fn::GetAtt": ["Web", "Name"]}, "${Web.Name}"),
        ({"Fn::GetAtt": "Api.Arn"}, "${Api.Arn}"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "AWS::AccountId"}, "${AWS::AccountId}"),
        ({"Ref": "AWS::StackName"}, "stack-0"),
        ({"Ref": "Target"}, "55"),
        ({"Ref": "Live"}, "61"),
        ({"Ref": "Unknown"}, "${Unknown}"),
        ({"Ref": "Given"}, "${Given}"),
        ({"Fn::GetAtt": ["Parameter", "Value"]}, "61"),
        ("at {{resolve:ssm:/shop/target}} and {{resolve:ssm:/no}}", "at 61 and {{resolve:ssm:/no}}"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Api"}, 3]]}, "a-shop-api-3"),
        ({"Fn::Sub": "${Api}/${Web.Arn}/${!Kept}/${AWS::Region}"}, "shop-api/${Web.Arn}/${Kept}/eu-west-1"),
        ({"Fn::Sub": ["${x}-${Api}", {"x": {"Ref": "Target"}}]}, "55-shop-api"),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Given"}]}]}, "${Given}"),
        ({"Fn::If": ["IsProd", "yes", "no"]}, "yes"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "cpu"]}, "512"),
        ({"Fn::FindInMap": ["Sizes", "mars", "cpu"]}, "${Sizes}"),
        ({"Fn::ImportValue": "other:Queue"}, "orders"),
        ({"Fn::ImportValue": "nobody"}, "${nobody}"),
        ({"Fn::GetAZs": ""}, "${GetAZs}"),
        ({"Fn::ToJsonString": {"a": [{"Ref": "Api"}, 1]}}, '{"a": ["shop-api", 1]}'),
        ({"a": {"Ref": "Api"}}, '{"a": "shop-api"}'),
    ],
)
def test_resolves_what_is_literal_and_keeps_the_rest_readable(
    write_assembly: Callable[..., Path], value: Any, expected: str
) -> None:
    other = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}}},
        "Outputs": {"Queue": {"Value": {"Ref": "Queue"}, "Export": {"Name": "other:Queue"}}},
    }
    assembly = CloudAssembly(write_assembly(_TEMPLATE, other))
    assert IntrinsicFunctions(assembly=assembly, template=assembly.templates[0]).text(value) == expected


@pytest.mark.parametrize(
    "body",
    [
        {
            "Fn::Join": [
                "",
                [
                    '{"widgets":[{"type":"metric","properties":{"title":"',
                    {"Ref": "Api"},
                    '","annotations":{"horizontal":[{"value":',
                    {"Ref": "Live"},
                    "}]}}}]}",
                ],
            ]
        },
        {
            "Fn::Sub": '{"widgets":[{"type":"metric","properties":{"title":"${Api}",'
            '"annotations":{"horizontal":[{"value":${Live}}]}}}]}'
        },
        '{"widgets":[{"type":"metric","properties":{"title":"shop-api",'
        '"annotations":{"horizontal":[{"value":{{resolve:ssm:/shop/target}}}]}}}]}',
        {
            "Fn::ToJsonString": {
                "widgets": [
                    {
                        "type": "metric",
                        "properties": {
                            "title": {"Ref": "Api"},
                            "annotations": {"horizontal": [{"value": {"Ref": "Live"}}]},
                        },
                    }
                ]
            }
        },
    ],
    ids=["join", "sub", "string", "to-json-string"],
)
def test_a_body_may_be_written_in_any_way(write_assembly: Callable[..., Path], body: Any) -> None:
    board = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}
    template = {**_TEMPLATE, "Resources": {**_TEMPLATE["Resources"], "Board": board}}
    (dashboard,) = find_dashboards(CloudAssembly(write_assembly(template)))
    assert dashboard.name == "Board"
    (widget,) = dashboard.body.widgets
    assert isinstance(widget, MetricWidget)
    assert widget.title == "shop-api"
    (line,) = widget.annotations.horizontal
    assert getattr(line, "value", None) == 61


def test_templates_of_stages_and_nested_stacks_are_read_and_those_of_assets_are_not(tmp_path: Path) -> None:
    for place in ("assembly-Prod", "asset.0123"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "one.template.json").write_text("{}")
    (tmp_path / "two.nested.template.json").write_text("{}")
    assert [template.stack for template in CloudAssembly(tmp_path).templates] == ["one", "two.nested"]
