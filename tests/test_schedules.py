"""The schedules against their formulas in many digits, against torch, and in a training run."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

import refnn
from refnn import schedules
from refnn.errors import SettingError
from refnn.schedules import Constant, Cosine, Exponential, Inverse, Stepwise, WarmUp

U = 2.0**-53


def near(value: float, other: float, roundings: int) -> bool:
    """Whether two floats may be one real number, after so many roundings of each, relative to it."""
    return abs(value - other) <= 2 * roundings * 1.01 * U * abs(other)


def test_each_formula_at_rational_points() -> None:
    assert [Constant(0.3)(k) for k in (0, 9)] == [0.3, 0.3]
    assert [Stepwise(2.0, 0.25, 3)(k) for k in (0, 2, 3, 6)] == [2, 2, 0.5, 0.125]
    assert [Exponential(2.0, 0.5)(k) for k in (0, 1, 4)] == [2, 1, 0.125]
    assert [Inverse(3.0, 0.5)(k) for k in (0, 2, 4)] == [3, 1.5, 1]
    assert [Cosine(3.0, 4, least=1.0)(k) for k in (0, 2, 4, 9)] == [3, 2, 1, 1]
    assert [WarmUp(4, Inverse(2.0))(k) for k in range(7)] == [0.5, 1, 1.5, 2, 2, 1, float(Fraction(2, 3))]


def test_robbins_and_monro_ask_for_a_sum_without_end_of_squares_that_end() -> None:
    """Σ 1/t over (2ⁿ, 2ⁿ⁺¹] is at least ½ for every n, and Σ 1/t² over it at most 2⁻ⁿ."""
    schedule = Inverse(1.0)
    for n in range(10):
        rates = [Fraction(schedule(k)) for k in range(2**n, 2 ** (n + 1))]
        assert sum(rates) >= Fraction(1, 2) * (1 - Fraction(1, 2**50))
        assert sum(rate * rate for rate in rates) <= Fraction(1, 2**n)


def torch_rates(make: Callable[[Any, Any], Any], steps: int) -> list[float]:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    schedule, rates = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make", "other"),
    [
        (Stepwise(0.3, 0.7, 5), lambda s, o: s.StepLR(o, 5, 0.7), Stepwise(0.3, 0.7, 4)),
        (Exponential(0.3, 0.9), lambda s, o: s.ExponentialLR(o, 0.9), Exponential(0.3, 0.91)),
        (Cosine(0.3, 30, 0.1), lambda s, o: s.CosineAnnealingLR(o, 30, 0.1), Cosine(0.3, 29, 0.1)),
        (Inverse(0.3, 0.5), lambda s, o: s.LambdaLR(o, lambda k: 1 / (1 + 0.5 * k)), Inverse(0.3, 0.6)),
        (WarmUp(8, Constant(0.3)), lambda s, o: s.LinearLR(o, 1 / 8, 1, 7), WarmUp(9, Constant(0.3))),
    ],
)
def test_a_schedule_is_that_of_torch(schedule: Any, make: Any, other: Any) -> None:
    """torch takes each rate from the last, with at most 6 roundings a step.

    Where 1 + cos cancels, its error of 4 u counts (η − η₀)/2 times, which is η₀ here; and in torch's product of its
    quotients all but the last cancel.
    """
    theirs = torch_rates(make, 30)
    assert all(near(schedule(k), rate, 6 * (k + 1) + 4) for k, rate in enumerate(theirs))
    assert not all(near(other(k), rate, 6 * (k + 1) + 4) for k, rate in enumerate(theirs))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Constant(0.0), "rate is 0.0: rate is a positive number."),
        (lambda: Stepwise(1.0, 1.5, 2), "factor is 1.5: factor is above 0 and at most 1. Pass such a number."),
        (lambda: Stepwise(1.0, 0.5, 0), "every is 0: "),
        (lambda: Exponential(1.0, 0.0), "factor is 0.0: "),
        (lambda: Cosine(0.1, 10, 0.2), "least is 0.2: the rate falls from 0.1. Pass less than that."),
        (lambda: Inverse(1.0, -1.0), "decay is -1.0: "),
        (lambda: WarmUp(0, Constant(1.0)), "steps is 0: "),
        (lambda: WarmUp(3, 0.1), "then is 0.1: what follows the warm-up is a function of the step's number."),  # type: ignore[arg-type]
    ],
)
def test_a_bad_setting_is_refused(make: Any, text: str) -> None:
    with pytest.raises(SettingError) as caught:
        make()
    assert text in str(caught.value)


def test_descend_takes_its_rates_from_a_schedule() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    schedule = WarmUp(2, Cosine(0.1, 4, 0.01))
    steps = refnn.descend(
        network, [0.0, 0.5], [[1.0]], [1.0], batches=refnn.FullBatch(), learning_rate=schedule, epochs=7
    )
    assert [step.learning_rate for step in steps] == [schedule(k) for k in range(7)]


def test_the_registry() -> None:
    assert {name for name in schedules.__all__ if name != "ALL"} == {schedule.__name__ for schedule in schedules.ALL}
