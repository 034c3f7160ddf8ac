"""
Where measurements come from: `CounterSource` and `QuerySource` over the metric providers, one file each.

A provider may be one of the two only; `absent` stands in for the other.

Only reads; never judges. An answer that can't be understood is an error (`Unavailable`),
never a number.
"""
