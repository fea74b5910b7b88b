"""Targets of other kinds than a function of NumPy's arrays: networks of PyTorch, JAX and scikit-learn, and programs."""

from __future__ import annotations

from refnn.search.targets.command import Command
from refnn.search.targets.jax import from_jax
from refnn.search.targets.sklearn import from_sklearn
from refnn.search.targets.torch import from_torch

__all__ = ["Command", "from_jax", "from_sklearn", "from_torch"]
