"""How fast archives, loads and nights are, beside other tools and the least that any could take. `python -m benchmarks.performance`."""
