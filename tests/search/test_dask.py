"""The search on a cluster of Dask, whose client is an executor."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import refnn
from refnn.search.search import key
from tests.search import implementations as of


@pytest.mark.filterwarnings("ignore")  # what Dask warns of, as of ports that are taken, is not refnn's
def test_workers_of_dask_find_what_one_finds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refnn.search.checking._SHRINKING", 1000.0)  # a busy machine finds the same
    pytest.importorskip("distributed", reason="Dask is not installed")
    distributed: Any = importlib.import_module("distributed")
    alone = refnn.check(of.upside_down, examples=20, keep=None)
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        together = refnn.check(of.upside_down, examples=20, keep=None, executor=executor, workers=2)
        agreeing = refnn.check(of.right, examples=20, keep=None, executor=executor, workers=2)
    assert alone.failure is not None
    assert together.failure is not None
    assert key(together.failure.drawn.case) == key(alone.failure.drawn.case)
    assert agreeing.verdict == "agrees"
    assert agreeing.found.asked == 20
