"""
A cluster on a laptop: API server, workloads, ingress and metrics, all on loopback.

What a user would meet for real is real: processes as pods, nginx, Prometheus. Nothing here
is imported by the controller.
"""
