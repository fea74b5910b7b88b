"""Training: what `fit` keeps, when it stops, what it shows, and what it hands over when it is interrupted."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from refnn.activations import Tanh
from refnn.arrays import FloatArray, IntArray
from refnn.descent import FullBatch, MiniBatch, SingleSample, Step, descend
from refnn.errors import DivergenceError, SettingError
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from refnn.training import History, fit, print_progress

LINE = Network(Dense(1, 1), loss=SquaredError())
X, Y = [[0.0], [1.0], [2.0], [3.0], [4.0]], [1.0, 3.0, 5.0, 7.0, 9.0]  # on the line 2 x + 1


def steps(**settings: Any) -> list[Step]:
    defaults: dict[str, Any] = {"batches": FullBatch(), "learning_rate": 0.1, "epochs": 1}
    return list(descend(LINE, settings.pop("w", [0.0, 0.0]), X, Y, **{**defaults, **settings}))


def test_fit_hands_over_what_was_reached_before_the_divergence() -> None:
    with pytest.raises(DivergenceError) as caught:
        fit(LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=1e100, epochs=9, progress=None)
    history = caught.value.history
    assert isinstance(history, History)
    assert history.stopped == "diverged"
    assert history.steps >= 1
    assert np.isfinite(history.parameters).all()
    assert np.isfinite(history.losses).all()
    assert history.losses[0] == 16.5


def test_fit_reaches_the_line_and_keeps_the_losses() -> None:
    # the Hessian [[6, 2], [2, 1]] has the eigenvalues (7 ± √41)/2, that is 6.7 and 0.298: with η = 0.25 each step
    # leaves at most 1 − 0.25·0.298 = 0.925 of a distance, and 400 steps 3e-14 of 2
    history = fit(LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=0.25, epochs=400, progress=None)
    assert (history.stopped, history.steps, len(history.losses)) == ("epochs", 400, 401)
    assert np.abs(history.parameters - [2, 1]).max() < 1e-12
    assert history.losses[0] == 16.5
    assert all(b <= a for a, b in zip(history.losses[:100], history.losses[1:101], strict=True))


def test_losses_are_those_of_all_samples_after_each_epoch() -> None:
    settings: dict[str, Any] = {"batches": MiniBatch(2), "learning_rate": 0.1, "epochs": 3, "rng": 4}
    history = fit(LINE, [0.0, 0.0], X, Y, **settings, progress=None)
    taken = steps(**settings)
    last_of_epoch = [[s for s in taken if s.epoch == e][-1].parameters for e in range(3)]
    assert list(history.losses) == [16.5, *(LINE.loss(w, X, Y) for w in last_of_epoch)]
    assert history.steps == len(taken) == 9
    assert history.parameters.tolist() == taken[-1].parameters.tolist()


def test_fit_stops_below_a_target() -> None:
    history = fit(
        LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=0.25, epochs=400, stop_below=0.01, progress=None
    )
    assert history.stopped == "target"
    assert history.losses[-1] < 0.01 <= history.losses[-2]
    assert history.steps == len(history.losses) - 1 < 400


def test_a_target_that_is_only_met_is_not_passed() -> None:
    history = fit(
        LINE, [2.0, 1.0], X, Y, batches=FullBatch(), learning_rate=0.25, epochs=2, stop_below=0, progress=None
    )
    assert (history.stopped, history.losses) == ("epochs", (0, 0, 0))


def test_fit_loses_patience() -> None:
    # at the minimum the loss is 0 and stays so: no new minimum in three epochs
    history = fit(LINE, [2.0, 1.0], X, Y, batches=FullBatch(), learning_rate=0.1, epochs=50, patience=3, progress=None)
    assert (history.stopped, history.losses) == ("patience", (0.0, 0.0, 0.0, 0.0))


def test_patience_counts_from_the_last_minimum() -> None:
    rates = [0.1, 0.1, 0.4, 0.4, 0.4, 0.4]  # 0.4 is above 2/6.7: the loss rises
    history = fit(
        LINE,
        [0.0, 0.0],
        X,
        Y,
        batches=FullBatch(),
        learning_rate=lambda k: rates[k],
        epochs=6,
        patience=2,
        progress=None,
    )
    assert history.stopped == "patience"
    best = history.losses.index(min(history.losses))
    assert len(history.losses) == best + 2 + 1


def test_no_epochs_give_the_start_and_not_the_argument() -> None:
    w = np.array([1.0, 2.0])
    history = fit(LINE, w, X, Y, batches=FullBatch(), learning_rate=0.1, epochs=0, progress=None)
    assert (history.steps, history.stopped, history.parameters.tolist()) == (0, "epochs", [1, 2])
    assert not np.shares_memory(history.parameters, w)
    assert not history.parameters.flags.writeable


def test_ctrl_c_in_the_progress_returns_what_there_is() -> None:
    def interrupted(epoch: int, epochs: int, loss: float) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    history = fit(
        LINE, [0.0, 0.0], X, Y, batches=MiniBatch(2), learning_rate=0.1, epochs=9, rng=0, progress=interrupted
    )
    assert (history.stopped, history.steps, len(history.losses)) == ("interrupted", 9, 4)
    assert history.parameters.tolist() == steps(batches=MiniBatch(2), epochs=3, rng=0)[-1].parameters.tolist()


def test_ctrl_c_within_an_epoch_returns_what_there_is() -> None:
    class Interrupted:
        shuffles = False

        def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[IntArray]:
            yield np.array([0, 1])
            raise KeyboardInterrupt

    history = fit(LINE, [0.0, 0.0], X, Y, batches=Interrupted(), learning_rate=0.1, epochs=9, progress=None)
    assert (history.stopped, history.steps, history.losses) == ("interrupted", 1, (16.5,))
    # samples (0, 1) and (1, 3): the gradient is (−3/2, −2)
    assert history.parameters.tolist() == [0.1 * 1.5, 0.1 * 2]


def test_progress_is_told_after_every_epoch() -> None:
    told: list[tuple[int, int, float]] = []
    history = fit(
        LINE, [0.0, 0.0], X, Y, batches=SingleSample(), learning_rate=0.01, epochs=3, rng=0,
        progress=lambda *news: told.append(news),
    )  # fmt: skip
    assert told == [(k, 3, history.losses[k]) for k in (1, 2, 3)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    fit(LINE, [2.0, 1.0], X, Y, batches=FullBatch(), learning_rate=0.1, epochs=2)
    assert screen.getvalue() == "\repoch 1/2  loss 0   \repoch 2/2  loss 0   \n"


def test_nothing_is_shown_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    print_progress(1, 2, 0.5)
    assert file.getvalue() == ""


@pytest.mark.parametrize(
    ("setting", "start"),
    [
        ({"stop_below": "a"}, "stop_below is 'a'"),
        ({"stop_below": np.nan}, "stop_below is nan"),
        ({"patience": 0}, "patience is 0"),
        ({"patience": 1.5}, "patience is 1.5"),
        ({"progress": 5}, "progress is 5"),
    ],
)
def test_settings_of_fit_are_checked_at_the_call(setting: dict[str, Any], start: str) -> None:
    def never(k: int) -> float:
        raise AssertionError("a step was taken")

    with pytest.raises(SettingError) as caught:
        fit(LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=never, epochs=1, **setting)
    assert str(caught.value).startswith(start)


def test_training_a_network_with_a_hidden_layer() -> None:
    network = Network(Dense(2, 5), Tanh(), Dense(5, 2), loss=SoftmaxCrossEntropy())
    x: FloatArray = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    history = fit(
        network, network.initial_parameters(rng=3), x, [0, 1, 1, 0], batches=FullBatch(), learning_rate=0.5,
        epochs=2000, stop_below=0.05, progress=None,
    )  # fmt: skip
    assert history.stopped == "target"
    assert network.predict(history.parameters, x).argmax(axis=1).tolist() == [0, 1, 1, 0]


def test_a_loss_over_all_samples_that_overflows_names_the_step() -> None:
    """The loss of the batch, before the step, is still within range; that of the epoch, after it, is not."""
    with pytest.raises(
        DivergenceError, match=r"the loss over all samples, after step \d+: .* Lower the learning rate"
    ) as e:
        fit(LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=1e100, epochs=9, progress=None)
    assert isinstance(e.value.history, History)
    assert e.value.step == e.value.history.steps - 1
