"""Objects of other libraries as targets: what they are taken for, what they answer, and what is refused by its name."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.oracle.budget import asked
from refnn.search.target import Layout, Target, ask
from refnn.search.targets.jax import from_jax
from refnn.search.targets.known import target_of
from refnn.search.targets.libraries import library
from refnn.search.targets.sklearn import from_sklearn
from refnn.search.targets.torch import TorchTarget, from_torch
from refnn.strategies import Case

INPUTS, HIDDEN, OUTPUTS, SAMPLES = 4, 5, 3, 7


def installed(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def refused(message: str) -> Any:
    return pytest.raises(refnn.RefnnError, match=message)


# ---------------------------------------------------------------------------------------------------------- questions


def numbers(rng: np.random.Generator, *shape: int) -> Any:
    """Multiples of 1/64 between −1 and 1, which every format holds."""
    return rng.integers(-64, 65, shape) / 64


def posed(network: refnn.Network, *, classes: bool = False, samples: int = SAMPLES) -> Case:
    """A batch for a network: of classes, or of rows of numbers that are probabilities if the loss asks for them."""
    rng = np.random.default_rng(0)
    w, x = numbers(rng, network.size), numbers(rng, samples, network.inputs or INPUTS)
    outputs = network.outputs or INPUTS
    if classes:
        return Case(network, w, x, rng.integers(0, outputs, samples))
    loss = network.loss_function
    if isinstance(loss, refnn.SoftmaxCrossEntropy):
        cuts = np.sort(rng.integers(0, 65, (samples, outputs - 1)), axis=1) / 64
        return Case(network, w, x, np.diff(cuts, prepend=0, append=1, axis=1))
    y = numbers(rng, samples, outputs)
    return Case(network, w, x, abs(y) if isinstance(loss, refnn.BinaryCrossEntropy) else 2 * y)


def answer_of(target: Target, case: Case, precision: str) -> Any:
    return ask(target, case, asked(*case, precision_named(precision)), Layout())


def compared(target: Target, case: Case, precision: str) -> refnn.Comparison:
    """The answer of a target, held against the truth."""
    answer = {name: part.tolist() for name, part in answer_of(target, case, precision).items()}
    gradient = {name: answer.pop(name) for name in case.network.names()}
    return refnn.compare(*case, **answer, gradient=gradient or None, precision=precision)


def verdicts(target: Target, case: Case, precision: str) -> dict[str, str]:
    return {part.name: part.verdict for part in compared(target, case, precision).parts}


def agrees(target: Target, case: Case) -> bool:
    return all(compared(target, case, precision).verdict == "agrees" for precision in ("float64", "float32"))


FIELDS = {"outputs", "loss", "input_gradient", "0.weight", "0.bias", "2.weight", "2.bias"}


# ------------------------------------------------------------------------------------------------------------- PyTorch

Make = Callable[[Any], Any]

LAYERS: list[tuple[Make, refnn.Layer]] = [
    (lambda nn: nn.Identity(), refnn.Identity()),
    (lambda nn: nn.Sigmoid(), refnn.Sigmoid()),
    (lambda nn: nn.Tanh(), refnn.Tanh()),
    (lambda nn: nn.ReLU(), refnn.ReLU()),
    (lambda nn: nn.ReLU(inplace=True), refnn.ReLU()),
    (lambda nn: nn.LeakyReLU(0.3), refnn.LeakyReLU(0.3)),
    (lambda nn: nn.ELU(1.3), refnn.ELU(1.3)),
    (lambda nn: nn.Softplus(), refnn.Softplus()),
    (lambda nn: nn.SiLU(), refnn.SiLU()),
    (lambda nn: nn.GELU(), refnn.GELU()),
    (lambda nn: nn.GELU(approximate="tanh"), refnn.GELUTanh()),
    (lambda nn: nn.Flatten(), refnn.Identity()),
    (lambda nn: nn.Dropout(0.5).eval(), refnn.Identity()),
    (lambda nn: nn.Dropout(0), refnn.Identity()),
]

WEIGHTS = (0.25, 1.0, 2.5)


def _weights() -> Any:
    return importlib.import_module("torch").tensor(WEIGHTS)


LOSSES: list[tuple[Make, refnn.Loss, bool]] = [
    (lambda nn: nn.MSELoss(), refnn.SquaredError(reduction="elements", scale=2), False),
    (lambda nn: nn.MSELoss(reduction="sum"), refnn.SquaredError(reduction="sum", scale=2), False),
    (lambda nn: nn.CrossEntropyLoss(), refnn.SoftmaxCrossEntropy(), True),
    (lambda nn: nn.CrossEntropyLoss(), refnn.SoftmaxCrossEntropy(), False),
    (lambda nn: nn.CrossEntropyLoss(reduction="sum"), refnn.SoftmaxCrossEntropy(reduction="sum"), True),
    (
        lambda nn: nn.CrossEntropyLoss(label_smoothing=0.1),
        refnn.SoftmaxCrossEntropy(label_smoothing=0.1),
        True,
    ),
    (
        lambda nn: nn.CrossEntropyLoss(_weights(), label_smoothing=0.1),
        refnn.SoftmaxCrossEntropy(reduction="weights", class_weights=WEIGHTS, label_smoothing=0.1),
        True,
    ),
    (
        lambda nn: nn.CrossEntropyLoss(_weights(), reduction="sum"),
        refnn.SoftmaxCrossEntropy(reduction="sum", class_weights=WEIGHTS),
        False,
    ),
    (lambda nn: nn.BCEWithLogitsLoss(), refnn.BinaryCrossEntropy(reduction="elements"), False),
    (lambda nn: nn.BCEWithLogitsLoss(reduction="sum"), refnn.BinaryCrossEntropy(reduction="sum"), False),
    (lambda nn: nn.HuberLoss(delta=0.3), refnn.Huber(reduction="elements", delta=0.3), False),
    (lambda nn: nn.HuberLoss(reduction="sum"), refnn.Huber(reduction="sum"), False),
    (
        lambda nn: nn.SmoothL1Loss(beta=0.3),
        refnn.Huber(reduction="elements", delta=0.3, scale=1 / Fraction(0.3)),
        False,
    ),
    (lambda nn: nn.SmoothL1Loss(reduction="sum"), refnn.Huber(reduction="sum"), False),
]


def target_with(layer: Make, loss: Make = lambda nn: nn.MSELoss()) -> TorchTarget:
    nn = installed("torch").nn
    module = nn.Sequential(nn.Linear(INPUTS, HIDDEN), layer(nn), nn.Linear(HIDDEN, OUTPUTS))
    return from_torch(module, loss(nn))


def tanh(nn: Any) -> Any:
    return nn.Tanh()


@pytest.mark.parametrize(("layer", "own"), LAYERS)
def test_a_layer_of_torch_is_the_one_it_is_taken_for(layer: Make, own: refnn.Layer) -> None:
    target = target_with(layer)
    assert target.networks == refnn.Network(
        refnn.Dense(INPUTS, HIDDEN),
        own,
        refnn.Dense(HIDDEN, OUTPUTS),
        loss=refnn.SquaredError(reduction="elements", scale=2),
    )
    case = posed(target.network)
    assert verdicts(target, case, "float32").keys() == FIELDS
    assert agrees(target, case)


@pytest.mark.parametrize(("loss", "own", "classes"), LOSSES)
def test_a_loss_of_torch_is_the_one_it_is_taken_for(loss: Make, own: refnn.Loss, classes: bool) -> None:
    target = target_with(tanh, loss)
    assert target.network.loss_function == own
    assert agrees(target, posed(target.network, classes=classes))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize(("loss", "own", "classes"), LOSSES)
def test_torch_computes_in_16_bits(loss: Make, own: refnn.Loss, classes: bool, precision: str) -> None:
    installed("ml_dtypes")
    target = target_with(tanh, loss)
    assert compared(target, posed(target.network, classes=classes), precision).verdict == "agrees"


def test_class_weights_are_rounded_for_each_format_anew() -> None:
    """0.1 in float32 is another number in bfloat16, and the same in float64."""
    installed("ml_dtypes")
    torch = installed("torch")
    target = target_with(tanh, lambda nn: nn.CrossEntropyLoss(torch.tensor([0.1, 0.7, 1.3])))
    case = posed(target.network, classes=True)
    for precision in ("bfloat16", "float64", "float32"):
        assert compared(target, case, precision).verdict == "agrees"


def test_the_weights_of_torch_are_those_of_the_vector() -> None:
    """W = [[1], [2]] and b = 3, so (5, 7) gives 22; of ½·2·(22 − 20)², the gradient is 4 times (5, 7) and 1."""
    torch = installed("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 1))
    target = from_torch(module, torch.nn.MSELoss())
    w, x, y = np.array([1.0, 2.0, 3.0]), np.array([[5.0, 7.0]]), np.array([20.0])
    answer = answer_of(target, Case(target.network, w, x, y), "float64")
    assert {name: part.tolist() for name, part in answer.items()} == {
        "outputs": [[22]],
        "loss": 4,
        "0.weight": [[20], [28]],
        "0.bias": [4],
        "input_gradient": [[4, 8]],
    }


@pytest.mark.parametrize("form", ["float32", "float64", "bfloat16"])
def test_the_parameters_of_a_module_are_its_own(form: str) -> None:
    torch = installed("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ELU(), torch.nn.Linear(3, 1)).to(getattr(torch, form))
    target = from_torch(module, torch.nn.MSELoss())
    w = target.parameters()
    assert w.dtype == (np.float32 if form == "float32" else np.float64)
    x = torch.tensor([[0.5, -0.25]], dtype=torch.float64)
    with torch.no_grad():
        expected = module.double()(x).numpy()
    assert refnn.compare(
        target.network, w.astype(float), x.numpy(), [[0.0]], outputs=expected, precision="float64"
    ).verdict == ("agrees")


def test_the_module_is_left_as_it_was() -> None:
    torch = installed("torch")
    module = torch.nn.Sequential(torch.nn.Linear(INPUTS, OUTPUTS), torch.nn.Dropout(0.5)).eval()
    module[0].weight.requires_grad_(requires_grad=False)
    before = pickle.dumps(module)
    target = from_torch(module, torch.nn.MSELoss())
    assert agrees(target, posed(target.network))
    assert pickle.dumps(module) == before
    assert not module[0]._forward_hooks
    assert not module[0]._forward_pre_hooks


def test_a_target_of_torch_can_be_pickled() -> None:
    target = target_with(tanh)
    case = posed(target.network)
    for _ in range(2):  # before it was asked, and after
        again = pickle.loads(pickle.dumps(target))  # noqa: S301 - our own
        assert again.network == target.network
        assert agrees(again, case)
        assert agrees(target, case)


def test_a_target_of_torch_is_asked_where_gradients_are_off() -> None:
    torch, target = installed("torch"), target_with(tanh)
    with torch.no_grad():
        assert agrees(target, posed(target.network))


def test_a_module_may_have_no_parameters() -> None:
    torch = installed("torch")
    target = from_torch(torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Tanh()), torch.nn.MSELoss())
    assert target.parameters().shape == (0,)
    case = posed(target.network)
    assert verdicts(target, case, "float64") == dict.fromkeys(("outputs", "loss", "input_gradient"), "agrees")


def test_a_module_may_begin_with_a_layer_in_place() -> None:
    torch = installed("torch")
    target = from_torch(torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 3)), torch.nn.MSELoss())
    assert agrees(target, posed(target.network))


def test_a_single_layer_is_a_module() -> None:
    torch = installed("torch")
    target = from_torch(torch.nn.Linear(4, 3), torch.nn.MSELoss())
    assert target.network.layers == (refnn.Dense(4, 3),)
    assert agrees(target, posed(target.network))


@pytest.mark.parametrize("samples", [1, 5])
def test_any_number_of_samples_is_answered(samples: int) -> None:
    target = target_with(tanh)
    assert agrees(target, posed(target.network, samples=samples))


def test_targets_of_one_column_are_not_broadcast() -> None:
    torch = installed("torch")
    target = from_torch(torch.nn.Linear(4, 1), torch.nn.MSELoss())
    network, w, x, y = posed(target.network)
    assert agrees(target, Case(network, w, x, y[:, 0]))


def test_torch_is_asked_about_its_own_network_alone() -> None:
    target = target_with(tanh)
    other = refnn.Network(refnn.Dense(4, 3), loss=refnn.SquaredError())
    with pytest.raises(refnn.Unsupported, match="another network"):
        answer_of(target, posed(other), "float64")


def test_torch_divides_by_weights_for_classes_alone() -> None:
    target = target_with(tanh, lambda nn: nn.CrossEntropyLoss(_weights()))
    with pytest.raises(refnn.Unsupported, match="probabilities"):
        answer_of(target, posed(target.network), "float64")


Forward = Callable[[Any, Any], Any]


def own_module(forward: Forward) -> Any:
    """A module that is no Sequential; its layers stand in another order than they are called in."""
    nn = installed("torch").nn
    module = type("Own", (nn.Module,), {"forward": forward})()
    module.last = nn.Linear(HIDDEN, OUTPUTS)
    module.between = nn.Tanh()
    module.first = nn.ModuleList([nn.Sequential(nn.Linear(INPUTS, HIDDEN))])
    return module


def test_a_module_that_is_a_chain_is_one() -> None:
    """One layer is used twice, and a view is no computation."""
    module = own_module(lambda m, x: m.last(m.between(m.between(m.first[0](x.view(len(x), -1))))))
    target = from_torch(module, installed("torch").nn.HuberLoss())
    assert target.network.layers == (
        refnn.Dense(INPUTS, HIDDEN),
        refnn.Tanh(),
        refnn.Tanh(),
        refnn.Dense(HIDDEN, OUTPUTS),
    )
    assert agrees(target, posed(target.network))


def failing(module: Any, x: Any) -> Any:
    raise ValueError("no")


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            lambda m, x: m.last(m.first[0](x).tanh()),
            "what layer 'last' gets is not what layer 'first.0.0' gives: the module is no chain",
        ),
        (
            lambda m, x: m.last(m.first[0](x).relu_()),
            "what layer 'last' gets is not what layer 'first.0.0' gives: the module is no chain",
        ),
        (lambda m, x: m.last(m.first[0](2 * x)), "what layer 'first.0.0' gets is not what the module gets"),
        (lambda m, x: m.last(m.first[0](x)) * 2, "what the module gives is not what layer 'last' gives"),
        (lambda m, x: m.last(m.first[0](x), x), "what layer 'last' gets is not what layer 'first.0.0' gives"),
        (lambda m, x: m.last(input=m.first[0](x)), "what layer 'last' gets is not what layer 'first.0.0' gives"),
        (lambda m, x: x, "what the module gives is not what the module gets"),
        (lambda m, x: (m.last(m.first[0](x)),), "what the module gives is not what layer 'last' gives"),
        (lambda m, x: m.first[0](x), r"the parameters last\.weight, last\.bias: they belong to no layer"),
        (failing, "the module fails on zeros of 5 or 4 columns: ValueError: no"),
    ],
)
def test_what_is_no_chain_is_refused(forward: Forward, message: str) -> None:
    with refused(message):
        from_torch(own_module(forward), installed("torch").nn.MSELoss())


def test_tied_weights_are_refused() -> None:
    nn = installed("torch").nn
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    for module in (nn.Sequential(first, second), nn.Sequential(first, first)):
        with refused("two layers of the module share a parameter"):
            from_torch(module, nn.MSELoss())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda nn: nn.Linear(HIDDEN, HIDDEN, bias=False), "layer '1' is Linear.*Make it with bias=True"),
        (lambda nn: nn.Softplus(beta=2), "layer '1' is Softplus.*Use beta=1"),
        (lambda nn: nn.Softplus(threshold=3), "layer '1' is Softplus.*threshold of at least 20"),
        (lambda nn: nn.Flatten(start_dim=0), "layer '1' is Flatten.*Use start_dim=1"),
        (lambda nn: nn.Dropout(0.5), r"layer '1' is Dropout.*Pass module\.eval"),
        (lambda nn: nn.BatchNorm1d(HIDDEN), "layer '1' is BatchNorm1d.*refnn has no layer that equals it"),
        (lambda nn: nn.Sequential(nn.Tanh(), nn.Hardtanh()), r"layer '1\.1' is Hardtanh.*no layer that equals it"),
        (lambda nn: nn.LazyLinear(HIDDEN), "layer '1' is LazyLinear.*no layer that equals it"),
        (
            lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(HIDDEN, HIDDEN)),
            r"layer '1\.parametrizations\.weight\.0' is _WeightNorm.*no layer that equals it",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
def test_what_refnn_has_no_layer_for_is_refused(layer: Make, message: str) -> None:
    with refused(message):
        target_with(layer)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            lambda nn: nn.L1Loss(),
            r"loss is L1Loss\(\): refnn has no loss that equals it. Use MSELoss, CrossEntropyLoss",
        ),
        (lambda nn: nn.MSELoss(reduction="none"), "reduction='none': a loss is a single number"),
        (lambda nn: nn.CrossEntropyLoss(ignore_index=2), "ignore_index=2: refnn leaves out no class"),
        (lambda nn: nn.BCEWithLogitsLoss(weight=_weights()), "with weights.*Leave out weight and pos_weight"),
        (lambda nn: nn.BCEWithLogitsLoss(pos_weight=_weights()), "with weights.*Leave out weight and pos_weight"),
        (lambda nn: nn.SmoothL1Loss(beta=0), "beta=0: refnn has no absolute error"),
        (lambda nn: nn.functional.mse_loss, r"loss is <function mse_loss.*Pass torch\.nn\.MSELoss"),
    ],
)
def test_what_refnn_has_no_loss_for_is_refused(loss: Make, message: str) -> None:
    with refused(message):
        target_with(tanh, loss)


def test_a_module_is_one_of_torch() -> None:
    torch = installed("torch")
    with refused(r"module is 3: it has to be a module of PyTorch"):
        from_torch(3, torch.nn.MSELoss())


def own_tanh(slope: Callable[[Any], Any]) -> Any:
    """A tanh of somebody's own, with a derivative of his own, written in its value."""
    torch = installed("torch")

    def forward(context: Any, z: Any) -> Any:
        context.save_for_backward(torch.tanh(z))
        return torch.tanh(z)

    def backward(context: Any, delta: Any) -> Any:
        return delta * slope(*context.saved_tensors)

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function: Any = type("Function", (torch.autograd.Function,), methods)
    return type("OwnTanh", (torch.nn.Tanh,), {"forward": lambda self, z: function.apply(z)})()


@pytest.mark.parametrize(
    ("slope", "verdict"), [(lambda h: 1 - h * h, "agrees"), (lambda h: 1 - h, "disagrees"), (lambda h: h, "disagrees")]
)
def test_a_kernel_of_ones_own_is_held_against_what_it_claims_to_be(slope: Any, verdict: str) -> None:
    target = target_with(lambda nn: own_tanh(slope))
    found = verdicts(target, posed(target.network), "float64")
    assert [found[name] for name in ("outputs", "loss", "2.weight", "2.bias")] == ["agrees"] * 4
    assert [found[name] for name in ("input_gradient", "0.weight", "0.bias")] == [verdict] * 3


def test_parameters_that_get_no_gradient_have_one_of_zero() -> None:
    torch = installed("torch")

    def forward(layer: Any, x: Any) -> Any:
        return torch.nn.functional.linear(x, layer.weight.detach(), layer.bias)

    frozen: Any = type("Frozen", (torch.nn.Linear,), {"forward": forward})
    target = from_torch(frozen(INPUTS, OUTPUTS), torch.nn.MSELoss())
    case = posed(target.network)
    answer = answer_of(target, case, "float64")
    assert not answer["0.weight"].any()
    found = verdicts(target, case, "float64")
    assert (found["0.weight"], found["0.bias"]) == ("disagrees", "agrees")


# ----------------------------------------------------------------------------------------------------------------- JAX

NETWORK = refnn.Network(
    refnn.Dense(INPUTS, HIDDEN), refnn.Tanh(), refnn.Dense(HIDDEN, OUTPUTS), loss=refnn.SoftmaxCrossEntropy()
)
TREE = [{"w": "0.weight", "b": "0.bias"}, ("2.weight", "2.bias")]


def _numpy() -> Any:
    return importlib.import_module("jax.numpy")


def logits(parameters: Any, x: Any) -> Any:
    h = _numpy().tanh(x @ parameters["0.weight"] + parameters["0.bias"])
    return h @ parameters["2.weight"] + parameters["2.bias"]


def cross_entropy(z: Any, y: Any) -> Any:
    log_probabilities = importlib.import_module("jax.nn").log_softmax(z)
    if y.ndim == 2:
        return -(y * log_probabilities).sum(axis=1).mean()
    return -_numpy().take_along_axis(log_probabilities, y[:, None], axis=1).mean()


def of_named(parameters: Any, x: Any, y: Any) -> Any:
    return cross_entropy(logits(parameters, x), y)


def of_tree(parameters: Any, x: Any, y: Any) -> Any:
    first, (weight, bias) = parameters
    return cross_entropy(_numpy().tanh(x @ first["w"] + first["b"]) @ weight + bias, y)


def wrong(parameters: Any, x: Any, y: Any) -> Any:
    """Divided by elements, not by samples."""
    return of_named(parameters, x, y) / OUTPUTS


@pytest.mark.parametrize("classes", [True, False])
def test_a_function_of_jax_is_asked(classes: bool) -> None:
    jax, case = installed("jax"), posed(NETWORK, classes=classes)
    named = from_jax(of_named, NETWORK, outputs=logits)
    assert verdicts(named, case, "float32").keys() == FIELDS
    assert agrees(named, case)
    assert named.networks == NETWORK
    compiled = from_jax(jax.jit(of_tree), NETWORK, tree=TREE)
    assert verdicts(compiled, case, "float32").keys() == FIELDS - {"outputs"}
    assert agrees(compiled, case)
    assert agrees(pickle.loads(pickle.dumps(named)), case)  # noqa: S301 - our own
    assert verdicts(from_jax(wrong, NETWORK), case, "float64")["0.weight"] == "disagrees"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_jax_computes_in_16_bits(precision: str) -> None:
    """Compiled, as each operation for itself takes several times as long."""
    jit = installed("jax").jit
    target = from_jax(jit(of_named), NETWORK, outputs=jit(logits))
    assert verdicts(target, posed(NETWORK, classes=True), precision) == dict.fromkeys(FIELDS, "agrees")


def test_the_width_that_jax_computes_with_is_left_as_it_was() -> None:
    jax = installed("jax")
    before = jax.config.jax_enable_x64
    target = from_jax(of_named, NETWORK)
    for precision in ("float64", "float32"):
        answer_of(target, posed(NETWORK, classes=True), precision)
        assert jax.config.jax_enable_x64 == before


def test_jax_gets_targets_of_one_column_as_rows() -> None:
    network = refnn.Network(refnn.Dense(INPUTS, 1), loss=refnn.SquaredError())

    @installed("jax").jit  # type: ignore[untyped-decorator]
    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return ((x @ parameters["0.weight"] + parameters["0.bias"] - y) ** 2).mean() / 2

    _, w, x, y = posed(network)
    assert agrees(from_jax(loss, network), Case(network, w, x, y[:, 0]))


def test_jax_is_asked_about_its_own_network_alone() -> None:
    installed("jax")
    other = refnn.Network(refnn.Dense(4, 3), loss=refnn.SquaredError())
    with pytest.raises(refnn.Unsupported, match="another network"):
        answer_of(from_jax(of_named, NETWORK), posed(other), "float64")


def test_a_function_of_jax_may_have_no_parameters() -> None:
    installed("jax")
    network = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError(reduction="sum"))
    target = from_jax(lambda p, x, y: ((_numpy().tanh(x) - y) ** 2).sum() / 2, network)
    assert verdicts(target, posed(network), "float64") == {"loss": "agrees", "input_gradient": "agrees"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss_function": 3}, "loss_function is 3: it is called"),
        ({"outputs": 3}, "outputs is 3: it is called"),
        ({"network": 3}, "network is 3"),
        (
            {"tree": ["0.weight"]},
            r"the leaves of tree are '0\.weight': the parameters of the network are 0\.weight, 0\.b",
        ),
        ({"tree": [*TREE, "0.bias"]}, r"the leaves of tree are .*Put each of these names into the tree once"),
        ({"tree": []}, "the leaves of tree are none"),
    ],
)
def test_what_jax_cannot_be_asked_with_is_refused(arguments: dict[str, Any], message: str) -> None:
    installed("jax")
    with refused(message):
        from_jax(**{"loss_function": of_named, "network": NETWORK, **arguments})


# -------------------------------------------------------------------------------------------------------- scikit-learn

ACTIVATIONS = {
    "identity": refnn.Identity(),
    "logistic": refnn.Sigmoid(),
    "tanh": refnn.Tanh(),
    "relu": refnn.ReLU(),
}
OF_SKLEARN = FIELDS - {"input_gradient"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("kind", "outputs", "loss"),
    [
        ("MLPClassifier", 1, refnn.BinaryCrossEntropy()),
        ("MLPClassifier", OUTPUTS, refnn.SoftmaxCrossEntropy()),
        ("MLPRegressor", 1, refnn.SquaredError(reduction="elements")),
    ],
)
def test_a_perceptron_of_sklearn_is_asked(kind: str, outputs: int, loss: refnn.Loss, activation: str) -> None:
    perceptrons = installed("sklearn.neural_network")
    estimator = getattr(perceptrons, kind)(hidden_layer_sizes=(HIDDEN,), activation=activation, alpha=0)
    before = repr(vars(estimator))
    target = from_sklearn(estimator, inputs=INPUTS, outputs=outputs)
    assert target.networks == refnn.Network(
        refnn.Dense(INPUTS, HIDDEN), ACTIVATIONS[activation], refnn.Dense(HIDDEN, outputs), loss=loss
    )
    case = posed(target.network, classes=outputs > 1)
    assert verdicts(target, case, "float32").keys() == OF_SKLEARN
    assert agrees(target, case)
    assert agrees(pickle.loads(pickle.dumps(target)), case)  # noqa: S301 - our own
    assert repr(vars(estimator)) == before


def test_the_gradient_of_a_regressor_is_not_that_of_its_loss() -> None:
    """With three outputs it is three times as large."""
    perceptrons = installed("sklearn.neural_network")
    target = from_sklearn(perceptrons.MLPRegressor(hidden_layer_sizes=HIDDEN, alpha=0), inputs=INPUTS, outputs=OUTPUTS)
    case = posed(target.network)
    found = verdicts(target, case, "float64")
    assert {name for name, verdict in found.items() if verdict == "agrees"} == {"outputs", "loss"}
    answer = answer_of(target, case, "float64")
    third = {name: answer[name] / OUTPUTS for name in target.network.names()}
    assert refnn.compare(*case, gradient=third, precision="float64").verdict == "agrees"


def test_a_perceptron_may_have_no_hidden_layer_or_two() -> None:
    perceptrons = installed("sklearn.neural_network")
    for hidden, layers in (((), 1), ([6, 5], 5)):
        estimator = perceptrons.MLPClassifier(hidden_layer_sizes=hidden, alpha=0, activation="tanh")
        target = from_sklearn(estimator, inputs=INPUTS, outputs=OUTPUTS)
        assert len(target.network.layers) == layers
        assert agrees(target, posed(target.network, classes=True))


def test_sklearn_is_asked_about_its_own_network_in_its_own_formats() -> None:
    perceptrons = installed("sklearn.neural_network")
    target = from_sklearn(perceptrons.MLPRegressor(hidden_layer_sizes=HIDDEN, alpha=0), inputs=INPUTS, outputs=1)
    with pytest.raises(refnn.Unsupported, match="another network"):
        answer_of(target, posed(NETWORK, classes=True), "float64")
    with pytest.raises(refnn.Unsupported, match="float16"):
        answer_of(target, posed(target.network), "float16")


@pytest.mark.parametrize(
    ("kind", "settings", "outputs", "message"),
    [
        ("MLPRegressor", {}, 3, r"alpha=0\.0001: it adds a penalty.*estimator\.set_params\(alpha=0\)"),
        ("MLPRegressor", {"alpha": 0, "activation": "gelu"}, 3, "activation='gelu': scikit-learn knows no such"),
        ("MLPRegressor", {"alpha": 0, "loss": "poisson"}, 3, "loss='poisson': refnn has no loss that equals it"),
        ("MLPClassifier", {"alpha": 0}, 2, "outputs is 2: .* Pass outputs=1 for two classes"),
        ("MLPClassifier", {"alpha": 0}, 0, "outputs is 0"),
        ("BernoulliRBM", {}, 3, r"estimator is BernoulliRBM\(\): of scikit-learn, only its perceptrons"),
    ],
)
def test_what_refnn_has_no_perceptron_for_is_refused(
    kind: str, settings: dict[str, Any], outputs: int, message: str
) -> None:
    estimator = getattr(installed("sklearn.neural_network"), kind)(**settings)
    with refused(message):
        from_sklearn(estimator, inputs=4, outputs=outputs)


# -------------------------------------------------------------------------------------------------- what may be given


def instance_of(module: str, *bases: type) -> Any:
    """Something that looks as if it were of another library, which need not be there."""
    return type("Fake", bases, {"__module__": module, "__call__": lambda self: None})()


def test_a_function_is_a_target_itself() -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        return network.loss_and_gradient(w, x, y)

    assert target_of(mine) is mine


def test_a_pair_of_torch_is_made_into_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refnn.search.targets.torch.from_torch", lambda *parts: parts[::-1])
    module, loss = instance_of("torch.nn.modules.container"), instance_of("torch.nn.modules.loss")
    derived = instance_of("mine", type(module))
    for given in ((module, loss), (derived, loss)):
        made: object = target_of(given)
        assert made == given[::-1]


def test_a_pair_of_torch_is_a_target_of_torch() -> None:
    nn = installed("torch").nn
    target = target_of((nn.Linear(4, 3), nn.MSELoss()))
    assert isinstance(target, TorchTarget)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (instance_of("torch.nn.modules.container"), "a network alone has no loss"),
        (instance_of("sklearn.neural_network._multilayer_perceptron"), r"Pass from_sklearn\(estimator, inputs=4"),
        ("./program", "the target is './program': nothing can be asked of it"),
        ((len, len), "nothing can be asked of it. Pass a function"),
        ((instance_of("torch.nn.modules.container"),), "nothing can be asked of it. Pass a function"),
    ],
)
def test_what_is_no_target_is_refused(given: object, message: str) -> None:
    with refused(message):
        target_of(given)


@pytest.mark.parametrize(
    ("name", "package", "make"),
    [
        ("torch", "torch", lambda: from_torch(None, None)),
        ("jax", "jax", lambda: from_jax(of_named, NETWORK)),
        ("sklearn", "scikit-learn", lambda: from_sklearn(None, inputs=4, outputs=3)),
    ],
)
def test_a_library_that_is_missing_is_named(
    name: str, package: str, make: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(refnn.MissingExtraError, match=f"{package} is not installed: .*Run: pip install {package}"):
        make()


def test_a_library_may_be_too_old() -> None:
    assert library("numpy", "numpy", "2.0", "it") is np
    with pytest.raises(refnn.MissingExtraError, match=r"numpy is .*: it needs 99\.0 or newer. Run: pip install --upgr"):
        library("numpy", "numpy", "99.0", "it")


def test_no_library_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys; from refnn.search.targets import jax, known, sklearn, torch; known.target_of(print)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'torch', 'jax', 'sklearn'}))"
    )
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == []
