"""The months that jobs read, the newest one in the lake among them, and the key that decides a pipeline's result."""
