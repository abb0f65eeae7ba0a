"""What the site shows of the lake, of the models and of MLflow, read for `cabstand site`."""
