"""Who a reviewer is, by what the load balancer signs."""
