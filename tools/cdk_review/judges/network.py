"""Flags security group rules and routes that allow more traffic than before."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.reference_text import as_list, number_of, text_of

SIDES = {
    "in": ("SecurityGroupIngress", "AWS::EC2::SecurityGroupIngress"),
    "out": ("SecurityGroupEgress", "AWS::EC2::SecurityGroupEgress"),
}
PEERS = (
    "CidrIp",
    "CidrIpv6",
    "SourceSecurityGroupId",
    "DestinationSecurityGroupId",
    "SourcePrefixListId",
    "DestinationPrefixListId",
    "SourceSecurityGroupName",
)
ANYWHERE = {"0.0.0.0/0", "::/0"}
# The ports of public web services.
WEB_PORTS = {80.0, 443.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One rule of a security group."""

    way: str
    protocol: str
    first: float
    last: float
    peer: str

    def covers(self, other: Opening) -> bool:
        """Whether this rule allows everything that `other` allows."""
        return (
            self.way == other.way
            and self.protocol in ("-1", other.protocol)
            and (self.protocol == "-1" or (self.first <= other.first and other.last <= self.last))
            and (self.peer == other.peer or _is_within(other.peer, self.peer))
        )

    def in_words(self) -> str:
        """The rule in words, for messages."""
        ports = (
            "all ports"
            if self.protocol == "-1" or (self.first, self.last) in ((0, 65535), (-1, -1))
            else f"port {self.first:g}"
            if self.first == self.last
            else f"ports {self.first:g} to {self.last:g}"
        )
        protocol = "" if self.protocol == "-1" else f" ({self.protocol})"
        peer = "the internet" if self.peer in ANYWHERE else self.peer
        return f"{ports}{protocol} {'from' if self.way == 'in' else 'to'} {peer}"


def network_flags(stack: StackChange) -> Iterator[Flag]:
    """One flag per security group that allows more."""
    before, after = _openings(stack.before), _openings(stack.after)
    for owner, openings in sorted(after.items()):
        old = before.get(owner, set())
        new = owner not in stack.before and owner in stack.after
        gained = [opening for opening in openings if not any(former.covers(opening) for former in old)]
        public = [opening for opening in gained if opening.way == "in" and opening.peer in ANYWHERE]
        if new:
            gained = public = [opening for opening in public if not _is_web(opening)]
        if gained:
            listed = "; ".join(sorted(opening.in_words() for opening in gained)[:6])
            yield Flag(
                kind="public" if public else "widened",
                severity="critical" if public else "medium",
                stack=stack.path,
                logical_id=owner,
                sentence=f"The security group {owner} now opens {listed}",
                type="AWS::EC2::SecurityGroup",
            )


def _openings(resources: dict[str, dict[str, Any]]) -> dict[str, set[Opening]]:
    found: dict[str, set[Opening]] = {}
    for logical_id, resource in resources.items():
        properties, kind = resource.get("Properties", {}), resource.get("Type")
        for way, (inline, own) in SIDES.items():
            if kind == "AWS::EC2::SecurityGroup":
                rules = [rule for rule in as_list(properties.get(inline)) if isinstance(rule, dict)]
                found.setdefault(logical_id, set()).update(_opening(way, rule) for rule in rules)
            elif kind == own:
                group = properties.get("GroupId", properties.get("GroupName"))
                owner = text_of(group).removeprefix("${").partition(".")[0].removesuffix("}")
                found.setdefault(owner, set()).add(_opening(way, properties))
    return found


def _opening(way: str, rule: dict[str, Any]) -> Opening:
    protocol = {"6": "tcp", "17": "udp", "1": "icmp"}.get(
        text_of(rule.get("IpProtocol", "-1")), text_of(rule.get("IpProtocol", "-1"))
    )
    own = "DestinationSecurityGroupId" if way == "in" else "SourceSecurityGroupId"
    peer = next((text_of(rule[name]) for name in PEERS if name in rule and name != own), "anything")
    first, last = number_of(rule.get("FromPort")), number_of(rule.get("ToPort"))
    return Opening(
        way=way,
        protocol=protocol,
        first=-1.0 if first is None else first,
        last=(65535.0 if first is None else first) if last is None else last,
        peer=peer,
    )


def _is_web(opening: Opening) -> bool:
    return opening.first == opening.last and opening.first in WEB_PORTS


def _is_within(peer: str, wider: str) -> bool:
    try:
        inner, outer = ipaddress.ip_network(peer, strict=False), ipaddress.ip_network(wider, strict=False)
    except ValueError:
        return False
    return inner.version == outer.version and outer.supernet_of(inner)  # type: ignore[arg-type]
