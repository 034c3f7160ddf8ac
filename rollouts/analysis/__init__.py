"""
From a scrape to a verdict: what the counters of a canary and its stable twin say of a release.

Reads come through `ports`; what turns numbers into verdicts is `rollouts.judge`. Nothing here
decides what becomes of a release, and nothing is remembered that the provider does not remember.
"""
