"""When it is done: thin Luigi tasks (require, target, one call). `--module tasks` finds them all."""
