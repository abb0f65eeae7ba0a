"""The results site: pages of one design, each whole in itself, that link to each other."""
