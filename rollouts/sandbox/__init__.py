"""
A cluster on a laptop: API server, workloads, data plane and metrics, all on loopback.

What a user would meet for real is real: processes as pods, a data plane, Prometheus. Nothing here
is imported by the controller.
"""
