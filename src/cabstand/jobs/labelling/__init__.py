"""Finding what came true of logged predictions."""
