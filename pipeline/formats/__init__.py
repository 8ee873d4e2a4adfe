"""How a raw record becomes rows: one module a shape."""
