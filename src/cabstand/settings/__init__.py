"""Settings, each with its default and description.

A value comes from the command line, else from the environment variable `CABSTAND_<NAME>`, else from the TOML file that
`CABSTAND_CONFIG` names (`cabstand.toml` in the working directory by default), else from the default here.
"""

from cabstand.settings.explaining import Effective, environment_names, explain, unknown_variables
from cabstand.settings.fields import Settings
from cabstand.settings.loading import load
from cabstand.settings.names import config_file

__all__ = ["Effective", "Settings", "config_file", "environment_names", "explain", "load", "unknown_variables"]
