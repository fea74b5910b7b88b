"""The libraries whose objects are made into targets: refnn loads them when they are used, and never installs them."""

from __future__ import annotations

import importlib
import re
from typing import Any

from refnn.errors import MissingExtraError

__all__ = ["library"]


def library(module: str, package: str, least: str, purpose: str) -> Any:
    """A library that refnn never installs, or an error that says how to.

    Parameters
    ----------
    module, package
        Its name in Python, and to pip.
    least
        The oldest version that will do.
    purpose
        What needs it.

    Raises
    ------
    MissingExtraError
        If it is not installed, or too old.
    """
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{package} is not installed", f"{purpose} needs it", f"Run: pip install {package}"
        ) from error
    if _version(found.__version__) < _version(least):
        raise MissingExtraError(
            f"{package} is {found.__version__}",
            f"{purpose} needs {least} or newer",
            f"Run: pip install --upgrade {package}",
        )
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:2]))
