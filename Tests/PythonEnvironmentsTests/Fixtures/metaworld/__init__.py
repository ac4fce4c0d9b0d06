"""A stand-in for Meta-World, as far as its scripted policies go."""
