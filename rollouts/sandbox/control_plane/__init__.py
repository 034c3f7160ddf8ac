"""
A real control plane for the sandbox, in place of its own: etcd, kube-apiserver and
kube-controller-manager run as processes of it, and are asked over their API alone.

Nothing of this is imported where the sandbox's own control plane will do.
"""
