"""Networks of PyTorch as targets: a module with a loss, asked for its own forward and its own autograd.

The module says by its layers which network it claims to be; refnn then asks whether it is that one. A class of one's
own that is derived from ``torch.nn.Tanh``, say, claims to be a tanh, whatever its forward does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, final

import numpy as np

from refnn import activations, losses
from refnn.arrays import FloatArray, IntArray
from refnn.checks import shown
from refnn.errors import SettingError, Unsupported
from refnn.layers import Dense, Layer
from refnn.losses import Loss, Reduction
from refnn.network import Network
from refnn.search.targets.libraries import library

__all__ = ["TorchTarget", "from_torch"]


def _torch() -> Any:
    return library("torch", "torch", "2.1", "a target made of a module of PyTorch")


@final
@dataclass(frozen=True, slots=True, eq=False)
class TorchTarget:
    """A module of PyTorch with its loss, as a target; made by `from_torch`.

    Parameters
    ----------
    network
        The network that the module claims to be; it answers for no other.
    module, loss
        The target's own.
    dense
        The path in the module of each dense layer, by its number in the network.
    """

    network: Network
    module: Any = field(repr=False)
    loss: Any = field(repr=False)
    dense: Mapping[int, str] = field(repr=False)
    _copies: dict[str, tuple[Any, Any]] = field(default_factory=dict, init=False, repr=False)

    @property
    def networks(self) -> Network:
        """The one network that it can be asked about, for `refnn.check`."""
        return self.network

    @property
    def precision(self) -> str:
        """The format of its parameters, in which `refnn.check` asks it if nothing else is said."""
        parameters = self._parameters(self.module)
        return str(next(iter(parameters.values())).dtype).removeprefix("torch.") if parameters else "float64"

    def parameters(self) -> FloatArray:
        """The parameters that the module had when the target was made, as the vector w: float32 if it is, else float64.

        Returns
        -------
        (P,)
        """
        torch = _torch()
        parts = {name: p.detach().cpu().t() for name, p in self._parameters(self.module).items()}
        return self.network.pack(
            {name: (p if p.dtype == torch.float32 else p.double()).numpy() for name, p in parts.items()}
        )

    def __call__(self, network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> dict[str, Any]:
        """All four fields, in the dtype of w; the module's own forward and loss, differentiated by its own backward.

        Raises
        ------
        refnn.Unsupported
            If it is another network, or if class weights divide the loss and the targets are no classes: then PyTorch
            divides by the number of samples.
        """
        if network != self.network:
            raise Unsupported("another network than the module's own")
        torch = _torch()
        module, loss = self._in(torch, w.dtype.name)
        parameters = self._parameters(module)
        device = next(iter(parameters.values()), torch.zeros(())).device

        def tensor(array: np.ndarray) -> Any:
            """By way of float64, which holds all of them: NumPy itself has no bfloat16."""
            return torch.tensor(array.astype(np.float64), dtype=getattr(torch, w.dtype.name), device=device)

        if y.dtype.kind in "iu":
            targets = torch.tensor(y, dtype=torch.long, device=device)
        elif network.loss_function.reduction == "weights":
            raise Unsupported("class weights with targets that are probabilities")
        else:
            targets = tensor(y.reshape(len(x), -1))
        with torch.no_grad():
            for name, part in network.unpack(w).items():
                parameters[name].copy_(tensor(part.T))
        samples = tensor(x).requires_grad_()
        with torch.enable_grad():
            outputs = module(samples.clone())  # a layer may work in place, which a leaf does not allow
            value = loss(outputs, targets)
            *gradients, of_x = torch.autograd.grad(
                value, [*parameters.values(), samples], allow_unused=True, materialize_grads=True
            )
        return {
            "outputs": outputs.detach(),
            "loss": value.detach(),
            "gradient": {name: g.t() for name, g in zip(parameters, gradients, strict=True)},
            "input_gradient": of_x,
        }

    def _in(self, torch: Any, form: str) -> tuple[Any, Any]:
        """Module and loss in a floating-point format: a copy for each, as rounded class weights stay rounded."""
        if form not in self._copies:
            module, loss = copy.deepcopy((self.module, self.loss))
            dtype = getattr(torch, form)
            self._copies[form] = module.to(dtype).requires_grad_(), loss.to(dtype)
        return self._copies[form]

    def _parameters(self, module: Any) -> dict[str, Any]:
        """Those of a copy, by the names that refnn gives them."""
        layers = {k: module.get_submodule(path) for k, path in self.dense.items()}
        return {f"{k}.{name}": getattr(layer, name) for k, layer in layers.items() for name in ("weight", "bias")}


def from_torch(module: Any, loss: Any) -> TorchTarget:
    """A target from a module of PyTorch and its loss.

    Parameters
    ----------
    module
        A ``torch.nn.Sequential``, nested or not, or any module that runs known layers one after the other. It is
        copied.
    loss
        ``MSELoss``, ``CrossEntropyLoss``, ``BCEWithLogitsLoss``, ``HuberLoss`` or ``SmoothL1Loss``.

    Returns
    -------
    TorchTarget

    Raises
    ------
    SettingError
        If a layer, the loss or one of their settings has no equal in refnn, or the module is no chain of its layers.
    MissingExtraError
        If PyTorch is not installed.

    Notes
    -----
    A class that is derived from a known layer or loss is held against that one: so a kernel of one's own is checked.
    The chain is found by running the module once on zeros; what depends on the numbers is not seen.

    Examples
    --------
    A network and the refnn network that it is held against::

        target = from_torch(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()), torch.nn.MSELoss())
        target.network  # Network(Dense(4, 3), Tanh(), loss=SquaredError(reduction="elements", scale=2))
    """
    torch = _torch()
    for name, given, example in (("module", module, "Sequential(…)"), ("loss", loss, "MSELoss()")):
        if not isinstance(given, torch.nn.Module):
            raise SettingError(
                f"{name} is {shown(given)}", "it has to be a module of PyTorch", f"Pass torch.nn.{example}, say"
            )
    module, loss = copy.deepcopy((module, loss))
    leaves = _leaves(module)
    layers = {leaf: _layer(path, leaf) for leaf, path in leaves.items()}
    order = _order(torch, module, leaves)
    dense = {k: leaves[leaf] for k, leaf in enumerate(order) if isinstance(layers[leaf], Dense)}
    _check_parameters(module, [module.get_submodule(path) for path in dense.values()])
    return TorchTarget(Network(*(layers[leaf] for leaf in order), loss=_loss(loss)), module, loss, dense)


# ----------------------------------------------------------------------------------------------------------- the chain


def _leaves(module: Any, path: str = "") -> dict[Any, str]:
    """The layers of a module, and what it holds besides, each with its path."""
    children = list(module.named_children())
    if _kind(module) in _LAYERS or not children:
        return {module: path}
    found: dict[Any, str] = {}
    for name, child in children:
        for leaf, place in _leaves(child, f"{path}.{name}".lstrip(".")).items():
            found.setdefault(leaf, place)  # a layer may stand in two places
    return found


@dataclass(slots=True)
class _Chain:
    """Watches a run: whether each layer gets what the one before it gave, and nobody has worked in it since."""

    paths: Mapping[Any, str]
    last: Any
    place: object = field(init=False)
    order: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place = _place(self.last)

    def before(self, leaf: Any, arguments: tuple[Any, ...]) -> None:
        if len(arguments) != 1 or not self.holds(arguments[0]):
            self.refuse(f"what layer {self.paths[leaf]!r} gets")

    def after(self, leaf: Any, arguments: tuple[Any, ...], output: Any) -> None:
        self.order.append(leaf)
        self.last, self.place = output, _place(output)  # kept, so that its memory is not given to another

    def holds(self, tensor: Any) -> bool:
        return self.place is not None and _place(tensor) == self.place

    def refuse(self, what: str) -> None:
        last = f"what layer {self.paths[self.order[-1]]!r} gives" if self.order else "what the module gets"
        raise SettingError(
            f"{what} is not {last}",
            "the module is no chain of its layers: something else is computed between",
            "Make a layer of what is computed (torch.nn.ReLU() for torch.relu), or write a function of "
            "(network, w, x, y)",
        )


def _place(tensor: Any) -> object:
    """Where a tensor lies, and how often somebody has worked in it: a view of the whole is the same. Else None."""
    if not hasattr(tensor, "data_ptr"):
        return None
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor._version  # noqa: SLF001 - PyTorch's own count


def _order(torch: Any, module: Any, leaves: Mapping[Any, str]) -> list[Any]:
    """The layers in the order in which they are called."""
    one = next(module.parameters(), torch.zeros(()))
    widths = dict.fromkeys(leaf.in_features for leaf in leaves if _kind(leaf) == "Linear") or (1,)
    failure: Exception | None = None
    for width in widths:  # which layer is the first, only the forward knows
        probe = torch.zeros((2, width), dtype=one.dtype, device=one.device)
        chain = _Chain(leaves, probe)
        hooks = [leaf.register_forward_pre_hook(chain.before) for leaf in leaves]
        hooks += [leaf.register_forward_hook(chain.after) for leaf in leaves]
        try:
            with torch.no_grad():
                result = module(probe)
        except SettingError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a forward raises
            failure = error
        else:
            if not chain.order or not chain.holds(result):
                chain.refuse("what the module gives")
            return chain.order
        finally:
            for hook in hooks:
                hook.remove()
    raise SettingError(
        f"the module fails on zeros of {' or '.join(map(str, widths))} columns",
        f"{type(failure).__name__}: {failure}",
        "Pass a module that takes rows of samples, and nothing else",
    ) from failure


def _check_parameters(module: Any, dense: list[Any]) -> None:
    own = [p for layer in dense for p in (layer.weight, layer.bias)]
    if len({id(p) for p in own}) < len(own):
        raise SettingError(
            "two layers of the module share a parameter",
            "in refnn every layer has parameters of its own",
            "Pass a module without tied weights",
        )
    strays = [name for name, p in module.named_parameters() if not any(p is q for q in own)]
    if strays:
        raise SettingError(
            f"the module has the parameters {', '.join(strays)}",
            "they belong to no layer that its forward calls",
            "Pass a module whose parameters are those of its Linear layers",
        )


# ----------------------------------------------------------------------------------------------------- what equals what


def _kind(module: Any) -> str:
    """The name of the class of PyTorch that a module is of, or derived from."""
    kind = next(kind for kind in type(module).__mro__ if kind.__module__.startswith("torch."))
    return kind.__name__ if kind.__module__.startswith("torch.nn.modules.") else f"{kind.__module__}.{kind.__name__}"


def _layer(path: str, leaf: Any) -> Layer:
    said, kind = f"layer {path!r} is {shown(leaf)}", _kind(leaf)
    if kind not in _LAYERS:
        raise SettingError(
            said,
            "refnn has no layer that equals it",
            f"Use {', '.join(_LAYERS)}, derive your class from the one that it is to equal, or write a function of "
            "(network, w, x, y)",
        )
    return _LAYERS[kind](said, leaf)


def _linear(said: str, leaf: Any) -> Layer:
    if leaf.bias is None:
        raise SettingError(
            said,
            "refnn.Dense has a bias",
            "Make it with bias=True for the check: with a bias of 0 it is the same function",
        )
    return Dense(leaf.in_features, leaf.out_features)


def _softplus(said: str, leaf: Any) -> Layer:
    if leaf.beta != 1 or leaf.threshold < 20:
        raise SettingError(
            said, "refnn.Softplus is log(1 + exp(z))", "Use beta=1 and a threshold of at least 20, its default"
        )
    return activations.Softplus()


def _flatten(said: str, leaf: Any) -> Layer:
    if leaf.start_dim != 1:
        raise SettingError(said, "the samples of refnn are rows", "Use start_dim=1, its default")
    return activations.Identity()


def _dropout(said: str, leaf: Any) -> Layer:
    if leaf.training and leaf.p > 0:
        raise SettingError(said, "it draws random numbers in training mode", "Pass module.eval()")
    return activations.Identity()


_LAYERS: Mapping[str, Callable[[str, Any], Layer]] = {
    "Linear": _linear,
    "Identity": lambda said, leaf: activations.Identity(),
    "Sigmoid": lambda said, leaf: activations.Sigmoid(),
    "Tanh": lambda said, leaf: activations.Tanh(),
    "ReLU": lambda said, leaf: activations.ReLU(),
    "LeakyReLU": lambda said, leaf: activations.LeakyReLU(leaf.negative_slope),
    "ELU": lambda said, leaf: activations.ELU(leaf.alpha),
    "Softplus": _softplus,
    "SiLU": lambda said, leaf: activations.SiLU(),
    "GELU": lambda said, leaf: activations.GELU() if leaf.approximate == "none" else activations.GELUTanh(),
    "Flatten": _flatten,
    "Dropout": _dropout,
}


def _loss(loss: Any) -> Loss:
    said, kind = f"loss is {shown(loss)}", _kind(loss)
    if kind not in _LOSSES:
        raise SettingError(said, "refnn has no loss that equals it", f"Use {', '.join(_LOSSES)}")
    if loss.reduction == "none":
        raise SettingError(
            f"{said} with reduction='none'", "a loss is a single number", "Use reduction='mean' or 'sum'"
        )
    return _LOSSES[kind](said, loss)


def _reduction(loss: Any) -> Reduction:
    """PyTorch's mean is over all elements."""
    return "elements" if loss.reduction == "mean" else "sum"


def _cross_entropy(said: str, loss: Any) -> Loss:
    if loss.ignore_index >= 0:
        raise SettingError(
            f"{said} with ignore_index={loss.ignore_index}",
            "refnn leaves out no class",
            "Give that class the weight 0, or use the default, which is no class",
        )
    weights = None if loss.weight is None else loss.weight.double().tolist()
    mean: Reduction = "mean" if weights is None else "weights"
    return losses.SoftmaxCrossEntropy(
        reduction=mean if loss.reduction == "mean" else "sum",
        label_smoothing=loss.label_smoothing,
        class_weights=weights,
    )


def _binary(said: str, loss: Any) -> Loss:
    if loss.weight is not None or loss.pos_weight is not None:
        raise SettingError(
            f"{said} with weights", "refnn.BinaryCrossEntropy has none", "Leave out weight and pos_weight"
        )
    return losses.BinaryCrossEntropy(reduction=_reduction(loss))


def _smooth(said: str, loss: Any) -> Loss:
    """½r²/β up to β, and r − ½β beyond: Huber's loss divided by δ = β."""
    if loss.beta == 0:
        raise SettingError(f"{said} with beta=0", "refnn has no absolute error", "Use a beta above 0")
    return losses.Huber(reduction=_reduction(loss), delta=loss.beta, scale=1 / Fraction(loss.beta))


_LOSSES: Mapping[str, Callable[[str, Any], Loss]] = {
    "MSELoss": lambda said, loss: losses.SquaredError(reduction=_reduction(loss), scale=2),
    "CrossEntropyLoss": _cross_entropy,
    "BCEWithLogitsLoss": _binary,
    "HuberLoss": lambda said, loss: losses.Huber(reduction=_reduction(loss), delta=loss.delta),
    "SmoothL1Loss": _smooth,
}
