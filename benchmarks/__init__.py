"""Accuracy and times that the README states; each module runs by itself, ``python -m benchmarks`` runs them all."""
