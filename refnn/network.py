"""The network as a function of one vector: forward through the layers, the loss, and backward through the layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, starmap
from typing import Any, Generic, NamedTuple, TypeVar, final, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refnn.arguments import format_of, vector, vector_and_rows
from refnn.arrays import A, Arithmetic, FloatArray, join, split
from refnn.checks import RandomState, as_array, finite_result, generator, instance, real_array, representable, shown
from refnn.errors import SettingError, ShapeError
from refnn.layers import Initializer, Layer, glorot
from refnn.losses import Loss

F = TypeVar("F", bound=Arithmetic)
V = TypeVar("V")
S = TypeVar("S")


class Evaluation(NamedTuple, Generic[V, S]):
    """What a network says of a batch; the one record of refnn, for values, truths, bounds and differences.

    Attributes
    ----------
    outputs : (N, outputs)
        What the last layer gives: logits, for a loss that takes logits.
    loss
        A single number.
    gradient : (P,)
        ∂loss/∂w.
    input_gradient : (N, inputs)
        ∂loss/∂x.
    """

    outputs: V
    loss: S
    gradient: V
    input_gradient: V


@final
@dataclass(frozen=True, slots=True, init=False, repr=False)
class Network:
    """A feed-forward network with its loss, as a function of one vector of all parameters.

    Parameters
    ----------
    *layers
        At least one `Layer`; the output width of each is the input width of the next.
    loss
        What training makes small.

    Raises
    ------
    SettingError
        If there is no layer, or something that is none.
    ShapeError
        If the widths of neighbouring layers differ.

    Attributes
    ----------
    layers, loss_function
        What it was made of.
    inputs, outputs
        The width of the samples and of the outputs; None if any will do.
    size
        P, the number of parameters.

    Notes
    -----
    The vector w holds the parameters layer by layer, each row-major, for a dense layer the weight and then the bias.
    Its dtype, float64 or float32, is the dtype of the computation. Wherever w, x or a parameter is asked for, an array
    of another arithmetic (`refnn.arrays.Arithmetic`) may be given; the results are then of that arithmetic.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 1), loss=refnn.SquaredError())
    >>> network.size
    13
    >>> w = network.initial_parameters(rng=0)
    >>> loss, gradient = network.loss_and_gradient(w, [[1.0, 2.0]], [[0.5]])
    >>> gradient.shape
    (13,)
    """

    layers: tuple[Layer, ...]
    loss_function: Loss
    inputs: int | None = field(compare=False)
    outputs: int | None = field(compare=False)
    size: int = field(compare=False)
    _places: tuple[tuple[slice, tuple[int, ...]], ...] = field(compare=False)
    _of_layer: tuple[slice, ...] = field(compare=False)

    def __init__(self, *layers: Layer, loss: Loss) -> None:
        for k, layer in enumerate(layers):
            instance(
                f"layer {k}",
                layer,
                ("inputs", "outputs", "shapes", "forward", "backward", "gradient"),
                "Pass instances such as refnn.Dense(4, 3) or refnn.Tanh(), or see refnn.Layer for your own",
            )
        if not layers:
            raise SettingError("there are no layers", "a network has at least one", "Pass refnn.Identity() for none")
        if not isinstance(loss, Loss):
            raise SettingError(f"loss is {shown(loss)}", "a network has a loss", "Pass loss=refnn.SquaredError(), say")
        width: int | None = None
        for k, layer in enumerate(layers):
            if width is not None and layer.inputs is not None and layer.inputs != width:
                raise ShapeError(
                    f"layer {k} ({shown(layer)}) takes {layer.inputs} inputs, expected {width}",
                    f"the layers before it give {width} outputs",
                    f"Give layer {k} {width} inputs, or change the layers before it",
                )
            width = layer.outputs or layer.inputs or width
        shapes = [shape for layer in layers for shape in layer.shapes.values()]
        ends = list(accumulate(map(math.prod, shapes), initial=0))
        counts = accumulate((len(layer.shapes) for layer in layers), initial=0)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "loss_function", loss)
        fixed = (layer for layer in layers if layer.inputs is not None or layer.outputs is not None)
        object.__setattr__(self, "inputs", next((layer.inputs for layer in fixed), None))
        object.__setattr__(self, "outputs", width)
        object.__setattr__(self, "size", ends[-1])
        object.__setattr__(self, "_places", tuple(zip(starmap(slice, pairwise(ends)), shapes, strict=True)))
        object.__setattr__(self, "_of_layer", tuple(starmap(slice, pairwise(counts))))

    def __repr__(self) -> str:
        """As it is made."""
        return f"Network({', '.join(map(repr, self.layers))}, loss={self.loss_function!r})"

    # ---------------------------------------------------------------------------------- the program, in any arithmetic

    def parameters(self, w: A) -> list[tuple[A, ...]]:
        """The parameters of each layer, as views into w."""
        p = split(w, self._places)
        return [tuple(p[of_layer]) for of_layer in self._of_layer]

    def forward(self, parameters: list[tuple[A, ...]], x: A) -> list[A]:
        """The input of each layer in turn, and last the outputs of the network."""
        h = [x]
        for layer, p in zip(self.layers, parameters, strict=True):
            h.append(layer.forward(p, h[-1]))
        return h

    def backward(self, parameters: list[tuple[A, ...]], h: list[A], delta: A) -> tuple[list[A], A]:
        """From the cotangent of the outputs: the gradient of each parameter, and the cotangent of layer 0's output."""
        gradients: list[A] = []
        for k in reversed(range(len(self.layers))):
            gradients[:0] = self.layers[k].gradient(parameters[k], h[k], delta)
            if k > 0:
                delta = self.layers[k].backward(parameters[k], h[k], delta)
        return gradients, delta

    def value(self, w: A, x: A, labels: FloatArray) -> A:
        """The loss of a batch that has been checked, in any arithmetic."""
        return finite_result(self.loss_function.value(self.forward(self.parameters(w), x)[-1], labels))

    def differentiate(self, w: A, x: A, labels: FloatArray) -> tuple[A, A, A, A]:
        """The four things that one pass forward and one pass backward give, in any arithmetic: forward, loss, backward.

        Returns
        -------
        outputs : (N, outputs)
        loss : ()
        gradient : (P,)
        delta : (N, outputs of layer 0)
            The cotangent of layer 0's output, from which its `backward` gives that of x.
        """
        p = self.parameters(w)
        h = self.forward(p, x)
        loss, delta = self.loss_function.differentiate(h[-1], labels)
        gradients, delta = self.backward(p, h, delta)
        gradient = join(*gradients) if gradients else -w  # without parameters, w is empty, and so is this
        return h[-1], finite_result(loss), finite_result(gradient), delta

    # -------------------------------------------------------------------------------------------- what it is asked for

    @overload
    def predict(self, w: F, x: object) -> F: ...
    @overload
    def predict(self, w: ArrayLike, x: F) -> F: ...
    @overload
    def predict(self, w: ArrayLike, x: ArrayLike) -> FloatArray: ...
    def predict(self, w: Any, x: Any) -> Any:
        """The outputs of the network.

        Parameters
        ----------
        w : (P,)
            All parameters.
        x : (N, inputs)
            The samples, as rows; for a network of one input, (N,) will do.

        Returns
        -------
        (N, outputs)
            What the last layer gives.

        Raises
        ------
        ShapeError, DTypeError, NonFiniteError
            If w or x has the wrong shape or dtype, or holds NaN or infinity.
        DivergenceError
            If an output leaves the range of the dtype.
        """
        w, x = self.check(w, x)
        outputs = representable("the outputs", lambda: finite_result(self.forward(self.parameters(w), x)[-1]))
        return _apart(outputs, w, x)

    @overload
    def loss(self, w: F, x: object, y: ArrayLike) -> F: ...
    @overload
    def loss(self, w: ArrayLike, x: F, y: ArrayLike) -> F: ...
    @overload
    def loss(self, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> float: ...
    def loss(self, w: Any, x: Any, y: Any) -> Any:
        """The loss of a batch.

        Parameters
        ----------
        w : (P,)
            All parameters.
        x : (N, inputs)
            The samples, as rows.
        y : (N, outputs)
            The targets, as rows; for one output, or for classes of `SoftmaxCrossEntropy`, (N,).

        Returns
        -------
        float
            L(w); with the default reduction the mean (1/N) Σᵢ Lᵢ(w).

        Raises
        ------
        ShapeError, DTypeError, NonFiniteError, TargetError
            If an argument does not fit, or holds what is no finite number or no target of this loss.
        DivergenceError
            If the loss leaves the range of the dtype.
        """
        w, x = self.check(w, x)
        labels = self.check_targets(w, x, y)
        return _number(representable("the loss", self.value, w, x, labels))

    @overload
    def loss_and_gradient(self, w: F, x: object, y: ArrayLike) -> tuple[F, F]: ...
    @overload
    def loss_and_gradient(self, w: ArrayLike, x: F, y: ArrayLike) -> tuple[F, F]: ...
    @overload
    def loss_and_gradient(self, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[float, FloatArray]: ...
    def loss_and_gradient(self, w: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """The loss of a batch, and its gradient by backpropagation.

        Parameters and errors are those of `loss`.

        Returns
        -------
        float
            L(w).
        (P,)
            ∂L/∂w, ordered as w.
        """
        w, x = self.check(w, x)
        labels = self.check_targets(w, x, y)
        _, loss, gradient, _ = representable("the loss or its gradient", self.differentiate, w, x, labels)
        return _number(loss), gradient

    @overload
    def evaluate(self, w: F, x: object, y: ArrayLike) -> Evaluation[F, F]: ...
    @overload
    def evaluate(self, w: ArrayLike, x: F, y: ArrayLike) -> Evaluation[F, F]: ...
    @overload
    def evaluate(self, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> Evaluation[FloatArray, float]: ...
    def evaluate(self, w: Any, x: Any, y: Any) -> Evaluation[Any, Any]:
        """Outputs, loss, gradient and input gradient of a batch.

        Parameters and errors are those of `loss`.

        Returns
        -------
        Evaluation
            With the fields ``outputs``, ``loss``, ``gradient`` and ``input_gradient``.
        """
        w, x = self.check(w, x)
        labels = self.check_targets(w, x, y)
        outputs, loss, gradient, delta = representable("the loss or its gradient", self.differentiate, w, x, labels)
        input_gradient = representable("the input gradient", self.layers[0].backward, self.parameters(w)[0], x, delta)
        return Evaluation(_apart(outputs, w, x), _number(loss), gradient, _apart(input_gradient, w, x))

    # ---------------------------------------------------------------------------------------- the vector of parameters

    def names(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of each parameter, in the order of w: ``{"0.weight": (4, 8), "0.bias": (8,), …}``."""
        return {f"{k}.{name}": shape for k, layer in enumerate(self.layers) for name, shape in layer.shapes.items()}

    def unpack(self, w: A) -> dict[str, A]:
        """The parameters by name, as views into w: writing to one writes to w.

        Parameters
        ----------
        w : (P,)
            A vector of all parameters, or a gradient.

        Raises
        ------
        ShapeError
            If w has not P elements.
        """
        checked: A = vector(w, self.size)
        return dict(zip(self.names(), split(checked, self._places), strict=True))

    def pack(self, parameters: Mapping[str, ArrayLike]) -> FloatArray:
        """The vector of all parameters, from parameters by name; the inverse of `unpack`.

        Parameters
        ----------
        parameters
            One array for each of `names`, in its shape.

        Returns
        -------
        (P,)
            A new array, float32 if all parameters are, else float64.

        Raises
        ------
        SettingError
            If a name is missing or unknown.
        ShapeError, DTypeError
            If an array has another shape than its parameter, or is not of real numbers.
        """
        names = self.names()
        instance("parameters", parameters, ("keys", "__getitem__"), "Pass a mapping of names to arrays")
        if parameters.keys() != names.keys():
            missing = ", ".join(name for name in names if name not in parameters)
            unknown = ", ".join(map(shown, parameters.keys() - names.keys()))
            raise SettingError(
                f"parameters are missing {missing or 'nothing'} and have the unknown names {unknown or 'none'}",
                f"the parameters of this network are {', '.join(names) or 'none'}",
                "Pass exactly one array for each",
            )
        arrays = [as_array(name, parameters[name]) for name in names]
        single = bool(arrays) and all(a.dtype == np.float32 for a in arrays)
        dtype = np.dtype(np.float32 if single else np.float64)
        for (name, shape), array in zip(names.items(), arrays, strict=True):
            if array.shape != shape:
                raise ShapeError(
                    f"{name} has shape {array.shape}, expected {shape}",
                    "a weight is (inputs, outputs) and a bias (outputs,)",
                    f"Pass {name} with shape {shape}; a weight of PyTorch is transposed to this one",
                )
        return join(np.zeros(0, dtype), *(real_array(n, a, dtype) for n, a in zip(names, arrays, strict=True)))

    @overload
    def initial_parameters(
        self, *, rng: RandomState | None, initializer: Initializer = glorot
    ) -> NDArray[np.float64]: ...
    @overload
    def initial_parameters(
        self, *, rng: RandomState | None, initializer: Initializer = glorot, dtype: DTypeLike
    ) -> FloatArray: ...
    def initial_parameters(
        self, *, rng: RandomState | None, initializer: Initializer = glorot, dtype: DTypeLike = np.float64
    ) -> FloatArray:
        """A vector of parameters to begin with.

        Parameters
        ----------
        rng
            A seed or a `numpy.random.Generator`.
        initializer
            `refnn.glorot` (the default), `refnn.he`, `refnn.zeros`, or a function of a shape and a generator.
        dtype
            float64 or float32.

        Returns
        -------
        (P,)

        Raises
        ------
        SettingError
            If no rng is given.
        DTypeError
            If the dtype is neither float64 nor float32.
        """
        random, kind = generator(rng), format_of("dtype", dtype)
        if not callable(initializer):
            raise SettingError(
                f"initializer is {shown(initializer)}",
                "it draws each parameter",
                "Pass refnn.glorot, refnn.he or a function",
            )
        try:
            drawn = {name: initializer(shape, random) for name, shape in self.names().items()}
        except (MemoryError, OverflowError, ValueError) as error:
            raise SettingError(
                f"the network has {shown(self.size)} parameters",
                f"they cannot be drawn ({error})",
                "Give its layers smaller widths, or pass another initializer",
            ) from error
        return self.pack(drawn).astype(kind)

    def describe(self) -> str:
        """A table of the layers, their parameters and where these stand in w.

        Examples
        --------
        >>> import refnn
        >>> print(refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), loss=refnn.SquaredError()).describe())
        0  Dense(inputs=2, outputs=3)  0.weight (2, 3) = w[0:6], 0.bias (3,) = w[6:9]
        1  Tanh()
        loss  SquaredError(reduction='mean', scale=1)
        9 parameters
        """
        places = {
            name: f"{shape} = w[{p.start}:{p.stop}]"
            for name, (p, shape) in zip(self.names(), self._places, strict=True)
        }
        lines = []
        for k, layer in enumerate(self.layers):
            blocks = ", ".join(f"{k}.{name} {places[f'{k}.{name}']}" for name in layer.shapes)
            lines.append(f"{k}  {layer}  {blocks}".rstrip())
        return "\n".join([*lines, f"loss  {self.loss_function}", f"{self.size} parameters"])

    # -------------------------------------------------------------------------------------- what is asked of arguments

    def check(self, w: Any, x: Any) -> tuple[Any, Any]:
        """`w` as a vector and `x` as rows, in one arithmetic and dtype, or an error that says what is wrong."""
        return vector_and_rows(w, x, self.size, self.inputs)

    def check_targets(self, w: Any, x: Any, y: Any) -> FloatArray:
        """The targets of a batch whose `w` and `x` have been checked, as rows of numbers."""
        return self.loss_function.check(y, (x.shape[0], self.outputs or x.shape[1]), w.dtype)


def _number(loss: Any) -> Any:
    return loss if isinstance(loss, Arithmetic) else float(loss)


def _apart(result: Any, *arguments: Any) -> Any:
    """`result`, copied if it shares memory with an argument, as that of `Identity` does."""
    if isinstance(result, Arithmetic) or not any(np.may_share_memory(result, argument) for argument in arguments):
        return result
    return result.copy()
