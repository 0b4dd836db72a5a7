"""Notebooks run for a branch, and made into what a manager receives: a page, a workbook and the chain of hashes."""
