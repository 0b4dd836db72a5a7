"""Accuracy and times that docs/why states; each module runs by itself, ``python -m benchmarks`` runs them all."""
