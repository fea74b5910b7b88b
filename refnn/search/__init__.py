"""The search: questions put to somebody's implementation, the smallest one that it gets wrong, and why."""
