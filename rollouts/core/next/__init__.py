"""The next status: each function here takes a status update and returns the next one. None of them writes."""
