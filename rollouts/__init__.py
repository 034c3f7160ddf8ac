"""Progressive delivery for Kubernetes: canaries judged by evidence, promoted or rolled back."""
