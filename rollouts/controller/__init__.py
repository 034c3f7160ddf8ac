"""
The loop: watch, queue, reconcile, apply.

Everything that decides is pure and lives below (`core`, `judge`, `traffic`); everything that
talks to the world comes in through `ports`. What is left is here:

    queue       which Rollout is to be looked at, when, and by how many at once
    index       which Rollouts a changed object concerns
    parsed      what Rollouts say, as models
    observe     from the caches to what a decision sees
    reconcile   observe, decide, apply, write status, tell
    apply       from an action to writes
    loop        all of it, running
    http_server /healthz, /readyz and /metrics
"""
