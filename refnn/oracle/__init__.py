"""The oracle: what the right numbers are, and which learning rates provably lower the loss.

An oracle does not change its mind. Exact answers are correctly rounded, hence the same on every machine and in every
version; `SEMANTICS` numbers the questions that they answer (the conventions of layers, losses and kinks), and a number
is added whenever the same call would get another answer:

1. The first.
"""

from __future__ import annotations

__all__ = ["SEMANTICS"]

SEMANTICS = 1
"""The number of the conventions by which exact answers are given."""
