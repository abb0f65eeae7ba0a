"""The parts of a replay: past windows under models that are trained as they are needed, and what it found."""
