"""The writes: what is missing between the cluster and a status. Nothing here changes a status."""
