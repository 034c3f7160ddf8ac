"""What a spec says to each router: one file per router, and what they have in common in `spec`."""
