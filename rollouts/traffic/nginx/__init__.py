"""ingress-nginx, and what reads its annotations: canary Ingresses beside the user's own."""
