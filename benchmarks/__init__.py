"""Measurements of what a busy publisher would feel, beside peers that do the same, each with its limit."""
