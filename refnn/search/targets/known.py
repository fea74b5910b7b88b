"""What may be given as a target."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, cast

from refnn.checks import shown
from refnn.errors import SettingError
from refnn.search.target import Target

__all__ = ["target_of"]


def target_of(given: object) -> Target:
    """The target that was given: a function itself, or one made from a network of PyTorch and its loss.

    No library is loaded to look at what was given.

    Parameters
    ----------
    given
        A function of network, w, x and y, or a pair (module, loss) of PyTorch's, as `from_torch` takes them.

    Returns
    -------
    Target

    Raises
    ------
    SettingError
        If it is neither; and as for `from_torch`.
    MissingExtraError
        As for `from_torch`.

    Examples
    --------
    >>> from refnn.search.targets.known import target_of
    >>> def mine(network, w, x, y):
    ...     return network.loss_and_gradient(w, x, y)
    >>> target_of(mine) is mine
    True
    """
    if isinstance(given, tuple) and len(given) == 2 and _is_of("torch.nn", given[0]):
        from refnn.search.targets.torch import from_torch

        return from_torch(*given)
    if _is_of("torch.nn", given):
        raise SettingError(
            f"the target is {shown(given)}", "a network alone has no loss", "Pass the pair (module, torch.nn.MSELoss())"
        )
    if _is_of("sklearn.neural_network", given):
        raise SettingError(
            f"the target is {shown(given)}",
            "before it is fitted, an estimator does not say how many inputs and outputs it has",
            "Pass from_sklearn(estimator, inputs=4, outputs=3), say",
        )
    if not callable(given):
        raise SettingError(
            f"the target is {shown(given)}",
            "nothing can be asked of it",
            "Pass a function of (network, w, x, y) that returns (loss, gradient), a pair (module, loss) of PyTorch's, "
            "or what refnn.targets has: from_jax, from_sklearn, Command",
        )
    _check_arguments(given)
    return cast(Target, given)


def _check_arguments(given: Any) -> None:
    called = given if inspect.isroutine(given) or isinstance(given, type | partial) else given.__call__
    try:
        takes = inspect.signature(called)
    except ValueError:  # what is not written in Python may not say
        return
    try:
        takes.bind(*"nwxy")
    except TypeError:
        raise SettingError(
            f"the target takes {takes}",
            "it is called with four arguments: the network, its parameters w, x and y",
            "Pass a function of these, such as lambda network, w, x, y: mine(w, x, y), with networks=network if it is "
            "about one",
        ) from None


def _is_of(package: str, given: object) -> bool:
    """Whether it is an instance of a class of a package, or derived from one."""
    return any(kind.__module__.startswith(f"{package}.") for kind in type(given).__mro__)
