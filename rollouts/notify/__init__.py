"""
Telling people: `Notifier` over HTTP, one file per kind of receiver.

Never decides what is worth telling, and never makes a release wait.
"""
