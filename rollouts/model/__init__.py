"""The vocabulary: what a Rollout says, what its status remembers, and the units both are in."""
