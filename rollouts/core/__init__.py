"""
Pure decisions: what to do next, from what is wanted, remembered, seen and measured.

Nothing here does I/O, reads a clock, draws a random number or logs. The same inputs
give the same `Decision`, in the controller, in a simulation and in a replay.
"""
