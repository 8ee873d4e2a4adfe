"""What a match is: one module a kind of rule."""
