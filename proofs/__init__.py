"""Derivations: theorems with proofs for all sizes, which SymPy checks step by step."""
