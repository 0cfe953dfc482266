"""The security policy of an HTTPS listener, in every release of the CDK that the library supports."""

from aws_cdk import aws_elasticloadbalancingv2 as elbv2

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"


def use_tls_policy(listener: elbv2.ApplicationListener) -> None:
    """Allows only TLS 1.2 and 1.3 on `listener`, with post-quantum key exchange.

    The policy is set by its name, because older releases of the CDK have no `SslPolicy.TLS13_12_RES_PQ`.
    """
    resource = listener.node.default_child
    assert isinstance(resource, elbv2.CfnListener)
    resource.ssl_policy = _POLICY
