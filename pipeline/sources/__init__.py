"""Where tweets come from: one module a source."""
