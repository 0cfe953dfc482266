"""Previews the dashboards, scaling and cost of a cloud assembly's services: reads `cdk.out`, no constructs."""
