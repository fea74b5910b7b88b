"""The irises that are shipped are Fisher's: they give the numbers that his article prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refnn import datasets
from refnn.arrays import FloatArray

# Fisher 1936, tables II and VIII: the mean of each measurement for each species, in cm.
MEANS = {
    "setosa": ["5.006", "3.428", "1.462", "0.246"],
    "versicolor": ["5.936", "2.770", "4.260", "1.326"],
    "virginica": ["6.588", "2.974", "5.552", "2.026"],
}
# Table III: sums of squares and products of deviations from the means within setosa and versicolor, in cm².
PRODUCTS = [
    ["19.1434", "9.0356", "9.7634", "3.2394"],
    ["9.0356", "11.8658", "4.6232", "2.4746"],
    ["9.7634", "4.6232", "12.2978", "3.8794"],
    ["3.2394", "2.4746", "3.8794", "2.4604"],
]
# Table VIII: the same within virginica, the first two rows.
VIRGINICA = [["19.8128", "4.5944", "14.8612", "2.4056"], ["4.5944", "5.0962", "3.4976", "2.3338"]]


def of_species(x: FloatArray, species: str) -> np.ndarray:
    """Its fifty plants, in whole millimetres, so that everything below is exact."""
    start = 50 * ["setosa", "versicolor", "virginica"].index(species)
    return np.rint(10 * x[start : start + 50]).astype(int)


def means(x: FloatArray, species: str) -> list[str]:
    """The mean of 50 whole numbers of tenths, in units of 1/500: exact in three decimals."""
    return [f"{2 * int(total) // 1000}.{2 * int(total) % 1000:03d}" for total in of_species(x, species).sum(axis=0)]


def products(x: FloatArray, species: str) -> np.ndarray:
    """Σ (a − ā)(b − b̄) = Σ ab − Σa Σb / 50, in units of 1/10000 cm²: a whole number."""
    mm = of_species(x, species)
    sums = mm.sum(axis=0)
    table: np.ndarray = 100 * (mm.T @ mm) - 2 * np.outer(sums, sums)
    return table


def printed(table: np.ndarray) -> list[list[str]]:
    return [[f"{int(value) // 10000}.{int(value) % 10000:04d}" for value in row] for row in table]


def test_the_classes_are_three_species_of_fifty_in_the_order_of_the_article() -> None:
    iris = datasets.iris()
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    assert iris.y.tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert iris.x.shape == (150, 4)
    assert [name.removesuffix(" in cm") for name in iris.feature_names] == [
        "sepal length",
        "sepal width",
        "petal length",
        "petal width",
    ]
    assert iris.name == "Iris"
    assert "Annals of Eugenics 7 (1936)" in iris.provenance


@pytest.mark.parametrize("species", MEANS)
def test_the_means_are_those_of_tables_two_and_eight(species: str) -> None:
    assert means(datasets.iris().x, species) == MEANS[species]


def test_the_sums_of_squares_and_products_are_those_of_tables_three_and_eight() -> None:
    x = datasets.iris().x
    assert printed(products(x, "setosa") + products(x, "versicolor")) == PRODUCTS
    assert printed(products(x, "virginica")[:2]) == VIRGINICA


def test_the_two_wrong_plants_of_another_copy_would_be_noticed() -> None:
    """The UCI repository documents its errors: in the 35th plant, and in two measurements of the 38th."""
    x = datasets.iris().x
    assert x[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert x[37].tolist() == [4.9, 3.6, 1.4, 0.1]
    for plant, wrong in ((34, [4.9, 3.1, 1.5, 0.1]), (37, [4.9, 3.1, 1.5, 0.1])):
        other = x.copy()
        other[plant] = wrong
        assert means(other, "setosa") != MEANS["setosa"]
        assert printed(products(other, "setosa") + products(other, "versicolor")) != PRODUCTS


def test_the_provenance_lies_beside_the_data() -> None:
    note = (Path(datasets.__file__).parent / "iris.txt").read_text(encoding="utf-8")
    assert "Annals of Eugenics 7 (1936)" in note
    assert "table I" in note
