"""
Where measurements come from: `MetricSource` over the metric providers, one file each.

Only reads; never judges. An answer that can't be understood is an error (`Unavailable`),
never a number.
"""
