"""
Pure renderers, one file per router: from weights to the routing objects that we own.

A router answers two questions and does no I/O: what the objects have to be
(`render`), and what they say now (`observe`).
"""
