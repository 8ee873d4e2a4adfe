"""Pure functions on arrays: no database, no clock, no sampler."""
