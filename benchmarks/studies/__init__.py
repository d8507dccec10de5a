"""Studies: each answers one question about speed, memory or accuracy of gfr."""
