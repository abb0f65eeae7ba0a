"""Lambda on this machine: the deployed zips run by AWS's own runtime client, in several environments at once.

`Functions` serves the functions of an emulated account; `invoke` is its one call.
"""
