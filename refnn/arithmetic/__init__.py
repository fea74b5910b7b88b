"""The arithmetics besides NumPy's floats: one small class and one table of rules each."""
