"""Update rules: from a state, the parameters, their gradient and a learning rate to the next state and parameters.

Where publications and libraries differ, the choice is an option with a name; `like` makes the choices of a library.
In the recurrences, g is the gradient, η the learning rate, t the number of the step counted from 1; what is remembered
begins with 0 unless the text says otherwise, and products and roots are taken of each element.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar, final

from refnn.arrays import A, constant, maximum, minimum, sqrt, total, where_positive
from refnn.checks import instance, number, positive, shown
from refnn.errors import SettingError

S = TypeVar("S")


class Rule(Protocol, Generic[S]):
    """What `refnn.descend` asks of an update rule: pure functions, and a state that they hand on."""

    def initial_state(self, w: A, /) -> S:
        """The state before the first step."""

    def step(self, state: S, w: A, gradient: A, learning_rate: float, /) -> tuple[S, A]:
        """The state and the parameters after one step."""


# ----------------------------------------------------------------------------------------------------------- settings


def _fraction(name: str, value: float) -> None:
    """Refuse `value` unless it is at least 0 and below 1."""
    if not 0 <= number(name, value) < 1:
        raise SettingError(f"{name} is {shown(value)}", f"{name} is at least 0 and below 1", "Pass such a number")


def _not_negative(name: str, value: float) -> None:
    if number(name, value) < 0:
        raise SettingError(f"{name} is {shown(value)}", f"{name} is not negative", "Pass 0 or more")


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        choices = ", ".join(map(repr, known))
        raise SettingError(f"{name} is {shown(value)}", "there is no such choice", f"Pass one of {choices}")


def _truth(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SettingError(f"{name} is {shown(value)}", f"{name} is True or False", "Pass one of the two")


def _mean(like: A, decay: float, old: A, new: A) -> A:
    """β·old + (1 − β)·new, a step of an exponential moving average."""
    beta = constant(like, decay)
    return beta * old + (1 - beta) * new


# -------------------------------------------------------------------------------------------------------------- rules


@final
@dataclass(frozen=True, slots=True)
class GradientDescent:
    """w := w − η ∇L(w).

    References
    ----------
    Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes Rendus 25 (1847).

    Examples
    --------
    >>> import numpy as np
    >>> GradientDescent().step(None, np.array([1.0, 2.0]), np.array([4.0, -2.0]), 0.5)
    (None, array([-1.,  3.]))
    """

    def initial_state(self, w: A) -> None:
        """Nothing to remember."""
        return

    def step(self, state: None, w: A, gradient: A, learning_rate: float) -> tuple[None, A]:
        """w − η g."""
        return None, w - constant(w, learning_rate) * gradient


@final
@dataclass(frozen=True, slots=True)
class Momentum:
    """v := μv + (1 − τ)g, w := w − ηv; Nesterov's: w := w − η(g + μv).

    Parameters
    ----------
    momentum
        μ, at least 0 and below 1.
    dampening
        τ, at least 0 and below 1.
    nesterov
        Whether the step looks ahead, with the gradient at the point that is stepped from.
    first
        What v is after the first step: ``"gradient"`` g, or ``"dampened"`` (1 − τ)g, as the recurrence says.
    rate
        Where η stands: ``"outside"`` as above; ``"inside"``, v := μv + η(1 − τ)g, w := w − v, and for Nesterov's
        w := w − (ηg + μv). The two differ if η changes.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics and
    Mathematical Physics 4(5) (1964), 1–17; Sutskever, Martens, Dahl and Hinton, "On the importance of initialization
    and momentum in deep learning", ICML (2013), equations 1–4, for η inside; Nesterov's as Bengio,
    Boulanger-Lewandowski and Pascanu, "Advances in optimizing recurrent networks", ICASSP (2013), simplify it.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w, g = Momentum(0.5), np.array([1.0]), np.array([2.0])
    >>> state, w = rule.step(rule.initial_state(w), w, g, 0.25)
    >>> rule.step(state, w, g, 0.25)
    ((array([3.]),), array([-0.25]))
    """

    momentum: float = 0.9
    dampening: float = 0.0
    nesterov: bool = False
    first: Literal["gradient", "dampened"] = "dampened"
    rate: Literal["outside", "inside"] = "outside"

    def __post_init__(self) -> None:
        _fraction("momentum", self.momentum)
        _fraction("dampening", self.dampening)
        _truth("nesterov", self.nesterov)
        _one_of("first", self.first, ("gradient", "dampened"))
        _one_of("rate", self.rate, ("outside", "inside"))

    def initial_state(self, w: A) -> tuple[A, ...]:
        """Nothing yet; after the first step, (v,)."""
        return ()

    def step(self, state: tuple[A, ...], w: A, gradient: A, learning_rate: float) -> tuple[tuple[A, ...], A]:
        """One step by the recurrence."""
        mu, eta = constant(w, self.momentum), constant(w, learning_rate)
        g = eta * gradient if self.rate == "inside" else gradient
        dampened = (1 - constant(w, self.dampening)) * g
        start = g if self.first == "gradient" else dampened
        v = mu * state[0] + dampened if state else start
        update = g + mu * v if self.nesterov else v
        return (v,), w - (update if self.rate == "inside" else eta * update)


@final
@dataclass(frozen=True, slots=True)
class Adagrad:
    """s := s + g², w := w − η/(1 + (t − 1)κ) · g/(√s + ε).

    Parameters
    ----------
    epsilon
        ε, not negative.
    epsilon_place
        ``"outside"`` the root, as above, or ``"inside"``: √(s + ε).
    initial
        The s to begin with, not negative.
    rate_decay
        κ, not negative.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12
    (2011), figure 1, the diagonal case, where δ is ε outside.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = Adagrad(epsilon=0), np.array([1.0])
    >>> rule.step(rule.initial_state(w), w, np.array([2.0]), 0.25)[1]
    array([0.75])
    """

    epsilon: float = 1e-10
    epsilon_place: Literal["outside", "inside"] = "outside"
    initial: float = 0.0
    rate_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative("epsilon", self.epsilon)
        _one_of("epsilon_place", self.epsilon_place, ("outside", "inside"))
        _not_negative("initial", self.initial)
        _not_negative("rate_decay", self.rate_decay)

    def initial_state(self, w: A) -> tuple[A, A]:
        """(s, 1 + (t − 1)κ)."""
        return 0 * w + constant(w, self.initial), constant(w, 1)

    def step(self, state: tuple[A, A], w: A, gradient: A, learning_rate: float) -> tuple[tuple[A, A], A]:
        """One step by the recurrence."""
        s, slower = state[0] + gradient * gradient, state[1]
        root = _root(s, self.epsilon, self.epsilon_place)
        after = w - constant(w, learning_rate) / slower * gradient / root
        return (s, slower + constant(w, self.rate_decay)), after


def _root(s: A, epsilon: float, place: str) -> A:
    """√s + ε, or √(s + ε)."""
    e = constant(s, epsilon)
    return sqrt(s + e) if place == "inside" else sqrt(s) + e


@final
@dataclass(frozen=True, slots=True)
class RMSProp:
    """v := αv + (1 − α)g², w := w − η g/(√v + ε); centred: m := αm + (1 − α)g, and v − m² in place of v below the root.

    Parameters
    ----------
    decay
        α, at least 0 and below 1.
    epsilon
        ε, not negative.
    epsilon_place
        ``"outside"`` the root, as above, or ``"inside"``: √(v + ε).
    centred
        Whether the variance takes the place of the mean square.
    momentum
        μ, at least 0 and below 1: b := μb + g/(√v + ε), w := w − ηb.
    initial
        The v to begin with, not negative.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning, Coursera (2012); Graves,
    "Generating sequences with recurrent neural networks", arXiv:1308.0850 (2013), equations 38–41, centred, ε inside.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = RMSProp(decay=0.75, epsilon=0), np.array([1.0])
    >>> rule.step(rule.initial_state(w), w, np.array([2.0]), 0.25)[1]
    array([0.5])
    """

    decay: float = 0.99
    epsilon: float = 1e-8
    epsilon_place: Literal["outside", "inside"] = "outside"
    centred: bool = False
    momentum: float = 0.0
    initial: float = 0.0

    def __post_init__(self) -> None:
        _fraction("decay", self.decay)
        _not_negative("epsilon", self.epsilon)
        _one_of("epsilon_place", self.epsilon_place, ("outside", "inside"))
        _truth("centred", self.centred)
        _fraction("momentum", self.momentum)
        _not_negative("initial", self.initial)

    def initial_state(self, w: A) -> tuple[A, A, A]:
        """(v, m, b)."""
        zero = 0 * w
        return zero + constant(w, self.initial), zero, zero

    def step(self, state: tuple[A, A, A], w: A, gradient: A, learning_rate: float) -> tuple[tuple[A, A, A], A]:
        """One step by the recurrence."""
        v, m, b = state
        v = _mean(w, self.decay, v, gradient * gradient)
        if self.centred:
            m = _mean(w, self.decay, m, gradient)
        root = _root(v - m * m if self.centred else v, self.epsilon, self.epsilon_place)
        b = constant(w, self.momentum) * b + gradient / root
        return (v, m, b), w - constant(w, learning_rate) * b


@final
@dataclass(frozen=True, slots=True)
class Adadelta:
    """v := ρv + (1 − ρ)g², d := √(u + ε)/√(v + ε) · g, u := ρu + (1 − ρ)d², w := w − ηd.

    Parameters
    ----------
    decay
        ρ, at least 0 and below 1.
    epsilon
        ε, positive: with 0, nothing would ever move.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701 (2012), algorithm 1, which has η = 1.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = Adadelta(decay=0.75, epsilon=1.0), np.array([1.0])
    >>> rule.step(rule.initial_state(w), w, np.array([0.0]), 1.0)[1]
    array([1.])
    """

    decay: float = 0.9
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        _fraction("decay", self.decay)
        positive("epsilon", self.epsilon)

    def initial_state(self, w: A) -> tuple[A, A]:
        """(v, u)."""
        return 0 * w, 0 * w

    def step(self, state: tuple[A, A], w: A, gradient: A, learning_rate: float) -> tuple[tuple[A, A], A]:
        """One step by the recurrence."""
        v, u = state
        v = _mean(w, self.decay, v, gradient * gradient)
        d = _root(u, self.epsilon, "inside") / _root(v, self.epsilon, "inside") * gradient
        return (v, _mean(w, self.decay, u, d * d)), w - constant(w, learning_rate) * d


@final
@dataclass(frozen=True, slots=True)
class Adam:
    """m := β₁m + (1 − β₁)g, v := β₂v + (1 − β₂)g², w := w − η m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).

    Parameters
    ----------
    beta1, beta2
        β₁ and β₂, at least 0 and below 1.
    epsilon
        ε, not negative.
    epsilon_place
        ``"corrected"`` as above; ``"uncorrected"``, w := w − η √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε), where the publication
        writes ε̂; or ``"inside"``, √(v̂ + ε).
    amsgrad
        ``"none"``; ``"before"`` the correction, the largest v so far takes the place of v in v̂; ``"after"`` it, the
        largest v̂ so far that of v̂.

    Raises
    ------
    SettingError
        If a setting is out of its range, or ε̂ is asked for with the largest v̂, for then there is no v to add it to.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR (2015), algorithm 1, and the end of section 2 for
    ε̂; Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR (2018), algorithm 2, for AMSGrad, which has
    no correction.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = Adam(beta1=0.5, beta2=0.75, epsilon=0), np.array([1.0])
    >>> rule.step(rule.initial_state(w), w, np.array([2.0]), 0.25)[1]
    array([0.75])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    epsilon_place: Literal["corrected", "uncorrected", "inside"] = "corrected"
    amsgrad: Literal["none", "before", "after"] = "none"

    def __post_init__(self) -> None:
        _fraction("beta1", self.beta1)
        _fraction("beta2", self.beta2)
        _not_negative("epsilon", self.epsilon)
        _one_of("epsilon_place", self.epsilon_place, ("corrected", "uncorrected", "inside"))
        _one_of("amsgrad", self.amsgrad, ("none", "before", "after"))
        if self.epsilon_place == "uncorrected" and self.amsgrad == "after":
            raise SettingError(
                "epsilon_place is 'uncorrected' and amsgrad is 'after'",
                "the largest corrected square has no uncorrected one to add ε to",
                "Pass amsgrad='before', or epsilon_place='corrected'",
            )

    def initial_state(self, w: A) -> tuple[A, A, A, A, A]:
        """(m, v, the largest of v or v̂, β₁ᵗ, β₂ᵗ)."""
        zero, one = 0 * w, constant(w, 1)
        return zero, zero, zero, one, one

    def step(
        self, state: tuple[A, A, A, A, A], w: A, gradient: A, learning_rate: float
    ) -> tuple[tuple[A, A, A, A, A], A]:
        """One step by the recurrence."""
        m, v, largest, power1, power2 = state
        m, v = _mean(w, self.beta1, m, gradient), _mean(w, self.beta2, v, gradient * gradient)
        power1, power2 = power1 * constant(w, self.beta1), power2 * constant(w, self.beta2)
        if self.amsgrad == "after":
            largest = maximum(largest, v / (1 - power2))
        else:
            largest = maximum(largest, v) if self.amsgrad == "before" else v
        corrected = largest if self.amsgrad == "after" else largest / (1 - power2)
        if self.epsilon_place == "uncorrected":
            root = _root(largest, self.epsilon, "outside") / sqrt(1 - power2)
        else:
            root = _root(corrected, self.epsilon, self.epsilon_place)
        after = w - constant(w, learning_rate) * (m / (1 - power1)) / root
        return (m, v, largest, power1, power2), after


@final
@dataclass(frozen=True, slots=True)
class Adamax:
    """m := β₁m + (1 − β₁)g, u := max(β₂u, |g| + ε), w := w − η/(1 − β₁ᵗ) · m/u.

    Parameters
    ----------
    beta1, beta2
        β₁ and β₂, at least 0 and below 1.
    epsilon
        ε, not negative; the publication has none.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR (2015), algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = Adamax(epsilon=0, beta1=0.5), np.array([1.0])
    >>> rule.step(rule.initial_state(w), w, np.array([-2.0]), 0.25)[1]
    array([1.25])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _fraction("beta1", self.beta1)
        _fraction("beta2", self.beta2)
        _not_negative("epsilon", self.epsilon)

    def initial_state(self, w: A) -> tuple[A, A, A]:
        """(m, u, β₁ᵗ)."""
        return 0 * w, 0 * w, constant(w, 1)

    def step(self, state: tuple[A, A, A], w: A, gradient: A, learning_rate: float) -> tuple[tuple[A, A, A], A]:
        """One step by the recurrence."""
        m, u, power = state
        m, power = _mean(w, self.beta1, m, gradient), power * constant(w, self.beta1)
        u = maximum(constant(w, self.beta2) * u, maximum(gradient, -gradient) + constant(w, self.epsilon))
        return (m, u, power), w - constant(w, learning_rate) / (1 - power) * m / u


@final
@dataclass(frozen=True, slots=True)
class Lion:
    """w := w − η sign(β₁m + (1 − β₁)g), m := β₂m + (1 − β₂)g, with sign(0) = 0.

    Parameters
    ----------
    beta1, beta2
        β₁ and β₂, at least 0 and below 1.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS (2023), algorithm 2, whose decay of the
    weights is `Decayed` here.

    Examples
    --------
    >>> import numpy as np
    >>> rule, w = Lion(), np.array([1.0, 1.0, 1.0])
    >>> rule.step(rule.initial_state(w), w, np.array([-2.0, 0.0, 2.0]), 0.25)[1]
    array([1.25, 1.  , 0.75])
    """

    beta1: float = 0.9
    beta2: float = 0.99

    def __post_init__(self) -> None:
        _fraction("beta1", self.beta1)
        _fraction("beta2", self.beta2)

    def initial_state(self, w: A) -> A:
        """The moving average m."""
        return 0 * w

    def step(self, state: A, w: A, gradient: A, learning_rate: float) -> tuple[A, A]:
        """One step by the recurrence."""
        c = _mean(w, self.beta1, state, gradient)
        sign = where_positive(c, 1, where_positive(-c, -1, 0 * c))
        return _mean(w, self.beta2, state, gradient), w - constant(w, learning_rate) * sign


# ---------------------------------------------------------------------------------- what is done to a rule's arguments


@final
@dataclass(frozen=True, slots=True)
class Decayed:
    """A rule with weight decay: coupled, g := g + λw; or decoupled, beside the rule's step, w := w − ηλw or w − λw.

    Parameters
    ----------
    rule
        The rule.
    decay
        λ, not negative.
    kind
        ``"coupled"``: the rule sees the gradient of L + ½λ|w|². ``"rate"``: decoupled, by ηλ. ``"plain"``: decoupled,
        by λ alone.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR (2019), algorithms 1 and 2: with `Adam`,
    ``"coupled"`` is their Adam with L₂ regularization; AdamW is ``"plain"`` there (with their multiplier at 1), and
    ``"rate"`` in torch and optax.

    Examples
    --------
    >>> import numpy as np
    >>> Decayed(GradientDescent(), 0.5, "rate").step(None, np.array([4.0]), np.array([0.0]), 0.25)
    (None, array([3.5]))
    """

    rule: Rule[Any]
    decay: float
    kind: Literal["coupled", "rate", "plain"]

    def __post_init__(self) -> None:
        instance("rule", self.rule, ("initial_state", "step"), "Pass refnn.rules.Adam(), or another rule")
        _not_negative("decay", self.decay)
        _one_of("kind", self.kind, ("coupled", "rate", "plain"))

    def initial_state(self, w: A) -> Any:
        """That of the rule."""
        return self.rule.initial_state(w)

    def step(self, state: Any, w: A, gradient: A, learning_rate: float) -> tuple[Any, A]:
        """The rule's step, and the decay."""
        decay = constant(w, self.decay) * w
        if self.kind == "coupled":
            return self.rule.step(state, w, gradient + decay, learning_rate)
        state, after = self.rule.step(state, w, gradient, learning_rate)
        return state, after - (constant(w, learning_rate) * decay if self.kind == "rate" else decay)


@final
@dataclass(frozen=True, slots=True)
class Clipped:
    """A rule that sees a clipped gradient: g := g · min(1, c/(‖g‖ + ε)), or each element cut to [−c, c].

    Parameters
    ----------
    rule
        The rule.
    limit
        c, positive.
    by
        ``"norm"``: the Euclidean norm of the whole gradient; or ``"value"``: each element.
    epsilon
        ε, not negative; nothing for ``"value"``. torch's `clip_grad_norm_` has 1e-6.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML (2013), algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> Clipped(GradientDescent(), 1.0, "norm").step(None, np.zeros(2), np.array([3.0, 4.0]), 5.0)[1]
    array([-3., -4.])
    """

    rule: Rule[Any]
    limit: float
    by: Literal["norm", "value"]
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        instance("rule", self.rule, ("initial_state", "step"), "Pass refnn.rules.Adam(), or another rule")
        positive("limit", self.limit)
        _one_of("by", self.by, ("norm", "value"))
        _not_negative("epsilon", self.epsilon)

    def initial_state(self, w: A) -> Any:
        """That of the rule."""
        return self.rule.initial_state(w)

    def step(self, state: Any, w: A, gradient: A, learning_rate: float) -> tuple[Any, A]:
        """The rule's step with the clipped gradient."""
        c = constant(w, self.limit)
        if self.by == "value":
            return self.rule.step(state, w, minimum(maximum(gradient, -c), c), learning_rate)
        norm = sqrt(total(gradient * gradient)) + constant(w, self.epsilon)
        return self.rule.step(state, w, gradient * (c / maximum(norm, c)), learning_rate)


ALL = (GradientDescent, Momentum, Adagrad, RMSProp, Adadelta, Adam, Adamax, Lion)
"""Every update rule; `Decayed` and `Clipped` change what any of them sees."""


# ----------------------------------------------------------------------------------------------- as the libraries do it


def _coupled(rule: Rule[Any], decay: float) -> Rule[Any]:
    return rule if decay == 0 else Decayed(rule, decay, "coupled")


def _by_rate(rule: Rule[Any], decay: float) -> Rule[Any]:
    return rule if decay == 0 else Decayed(rule, decay, "rate")


class _Preset(Protocol):
    """The settings of a library's optimizer, with its names and its defaults."""

    def rule(self) -> Rule[Any]:
        """The rule that they mean."""


@dataclass(frozen=True, slots=True)
class _TorchSGD:
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def rule(self) -> Rule[Any]:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise SettingError(
                f"nesterov is True, momentum {self.momentum} and dampening {self.dampening}",
                "torch refuses Nesterov's step without momentum, or with dampening",
                "Pass a momentum above 0 and dampening=0",
            )
        plain = Momentum(self.momentum, self.dampening, self.nesterov, first="gradient")
        return _coupled(plain if self.momentum != 0 else GradientDescent(), self.weight_decay)


@dataclass(frozen=True, slots=True)
class _TorchAdagrad:
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def rule(self) -> Rule[Any]:
        rule = Adagrad(self.eps, initial=self.initial_accumulator_value, rate_decay=self.lr_decay)
        return _coupled(rule, self.weight_decay)


@dataclass(frozen=True, slots=True)
class _TorchRMSprop:
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def rule(self) -> Rule[Any]:
        rule = RMSProp(self.alpha, self.eps, centred=self.centered, momentum=self.momentum)
        return _coupled(rule, self.weight_decay)


@dataclass(frozen=True, slots=True)
class _TorchAdadelta:
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def rule(self) -> Rule[Any]:
        return _coupled(Adadelta(self.rho, self.eps), self.weight_decay)


def _torch_adam(betas: object, eps: float, amsgrad: bool) -> Adam:
    _truth("amsgrad", amsgrad)
    return Adam(*_pair(betas), eps, amsgrad="before" if amsgrad else "none")


def _pair(betas: object) -> tuple[float, float]:
    if not isinstance(betas, tuple) or len(betas) != 2:
        raise SettingError(f"betas is {shown(betas)}", "betas are two numbers", "Pass two numbers in a tuple")
    return betas


@dataclass(frozen=True, slots=True)
class _TorchAdam:
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def rule(self) -> Rule[Any]:
        return _coupled(_torch_adam(self.betas, self.eps, self.amsgrad), self.weight_decay)


@dataclass(frozen=True, slots=True)
class _TorchAdamW:
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-2
    amsgrad: bool = False

    def rule(self) -> Rule[Any]:
        return _by_rate(_torch_adam(self.betas, self.eps, self.amsgrad), self.weight_decay)


@dataclass(frozen=True, slots=True)
class _TorchAdamax:
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def rule(self) -> Rule[Any]:
        return _coupled(Adamax(*_pair(self.betas), self.eps), self.weight_decay)


@dataclass(frozen=True, slots=True)
class _OptaxSGD:
    momentum: float = 0.0
    nesterov: bool = False

    def rule(self) -> Rule[Any]:
        return Momentum(self.momentum, nesterov=self.nesterov)


@dataclass(frozen=True, slots=True)
class _OptaxAdagrad:
    initial_accumulator_value: float = 0.1
    eps: float = 1e-7

    def rule(self) -> Rule[Any]:
        return Adagrad(self.eps, "inside", self.initial_accumulator_value)


@dataclass(frozen=True, slots=True)
class _OptaxRMSProp:
    decay: float = 0.9
    eps: float = 1e-8
    initial_scale: float = 0.0
    eps_in_sqrt: bool = True
    centered: bool = False

    def rule(self) -> Rule[Any]:
        _truth("eps_in_sqrt", self.eps_in_sqrt)
        place: Literal["inside", "outside"] = "inside" if self.eps_in_sqrt else "outside"
        return RMSProp(self.decay, self.eps, place, self.centered, initial=self.initial_scale)


@dataclass(frozen=True, slots=True)
class _OptaxAdadelta:
    rho: float = 0.9
    eps: float = 1e-6

    def rule(self) -> Rule[Any]:
        return Adadelta(self.rho, self.eps)


@dataclass(frozen=True, slots=True)
class _OptaxAdam:
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def rule(self) -> Rule[Any]:
        return Adam(self.b1, self.b2, self.eps)


@dataclass(frozen=True, slots=True)
class _OptaxAdamW:
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-4

    def rule(self) -> Rule[Any]:
        return _by_rate(Adam(self.b1, self.b2, self.eps), self.weight_decay)


@dataclass(frozen=True, slots=True)
class _OptaxAMSGrad:
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def rule(self) -> Rule[Any]:
        return Adam(self.b1, self.b2, self.eps, amsgrad="after")


@dataclass(frozen=True, slots=True)
class _OptaxAdamax:
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def rule(self) -> Rule[Any]:
        return Adamax(self.b1, self.b2, self.eps)


@dataclass(frozen=True, slots=True)
class _OptaxLion:
    b1: float = 0.9
    b2: float = 0.99
    weight_decay: float = 1e-3

    def rule(self) -> Rule[Any]:
        return _by_rate(Lion(self.b1, self.b2), self.weight_decay)


@dataclass(frozen=True, slots=True)
class _SklearnSGD:
    momentum: float = 0.9
    nesterov: bool = True

    def rule(self) -> Rule[Any]:
        return Momentum(self.momentum, nesterov=self.nesterov, rate="inside")


@dataclass(frozen=True, slots=True)
class _SklearnAdam:
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def rule(self) -> Rule[Any]:
        return Adam(self.beta_1, self.beta_2, self.epsilon, "uncorrected")


_PRESETS: dict[tuple[str, str], Callable[..., _Preset]] = {
    ("torch", "SGD"): _TorchSGD,
    ("torch", "Adagrad"): _TorchAdagrad,
    ("torch", "RMSprop"): _TorchRMSprop,
    ("torch", "Adadelta"): _TorchAdadelta,
    ("torch", "Adam"): _TorchAdam,
    ("torch", "AdamW"): _TorchAdamW,
    ("torch", "Adamax"): _TorchAdamax,
    ("optax", "sgd"): _OptaxSGD,
    ("optax", "adagrad"): _OptaxAdagrad,
    ("optax", "rmsprop"): _OptaxRMSProp,
    ("optax", "adadelta"): _OptaxAdadelta,
    ("optax", "adam"): _OptaxAdam,
    ("optax", "adamw"): _OptaxAdamW,
    ("optax", "amsgrad"): _OptaxAMSGrad,
    ("optax", "adamax"): _OptaxAdamax,
    ("optax", "lion"): _OptaxLion,
    ("scikit-learn", "SGDOptimizer"): _SklearnSGD,
    ("scikit-learn", "AdamOptimizer"): _SklearnAdam,
}


def like(library: str, name: str, **settings: Any) -> Rule[Any]:
    """The rule that a library's optimizer follows in real numbers, with the library's names and defaults.

    Parameters
    ----------
    library
        ``"torch"``, ``"optax"`` or ``"scikit-learn"``.
    name
        The optimizer, as the library calls it.
    **settings
        Its settings, as the library calls them; the learning rate is not one, for each step is given it.

    Raises
    ------
    SettingError
        If the optimizer or a setting is not known, or a setting is out of its range; it lists what is known.

    Notes
    -----
    torch's are those of `torch.optim`, optax's those of `optax`, scikit-learn's those of
    `sklearn.neural_network._stochastic_optimizers`, which its multilayer perceptrons train with.

    Examples
    --------
    >>> from refnn.rules import like
    >>> like("scikit-learn", "AdamOptimizer", beta_1=0.8)
    Adam(beta1=0.8, beta2=0.999, epsilon=1e-08, epsilon_place='uncorrected', amsgrad='none')
    >>> like("torch", "AdamW").kind
    'rate'
    """
    if (library, name) not in _PRESETS:
        of_library = ", ".join(n for lib, n in _PRESETS if lib == library)
        known = of_library or ", ".join(" ".join(key) for key in _PRESETS)
        raise SettingError(f"{shown(library)}, {shown(name)}", "refnn does not know its rule", f"Pass one of: {known}")
    preset = _PRESETS[library, name]
    parameters = inspect.signature(preset).parameters
    for setting, value in settings.items():
        if setting not in parameters:
            raise SettingError(
                f"{setting} is {shown(value)}",
                f"it is no setting of {library} {name} that changes its rule and that refnn knows",
                f"Pass some of: {', '.join(parameters)}",
            )
    return preset(**settings).rule()
