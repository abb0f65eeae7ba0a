"""`make soak`: mixed traffic through the laptop's gateway while models, versions, keys and S3 change or fail.

`stand` starts what is needed, `traffic` asks, `acts` change things meanwhile, `memory` watches the processes, and
`verdict` judges the run; `page` draws it.
"""
