"""
The cluster over Kubernetes' official client: watch caches, writes, events, the Lease.

This room is the only one that imports `kubernetes`, and of that only its configuration
and its REST layer: objects stay plain JSON. Nothing is imported here, so that naming the
package costs nothing; take what you need from its modules:

    connection   one API server: credentials, requests, streams, errors by consequence
    cluster      `KubeCluster`, the `Cluster` port: caches and writes
    watches      which kinds are read, and at which version
    reflector    keeps one kind's cache equal to the cluster by list and watch
    requests     `KubeRequests`, uncached requests for the command line
    lease        who of several controllers may write
"""
