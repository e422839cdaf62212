"""Tests read as specifications: the name is the claim, the body an example."""
