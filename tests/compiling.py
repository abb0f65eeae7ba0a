"""A first clustering that counts the functions it compiles, to run in another process or a container."""

# Prints the sum of the labels (above 0 if it found clusters) and the number of compiled functions.
FIT = """
import numpy as np
from numba.core import event

class Compiled(event.Listener):
    names = []
    def on_start(self, found):
        self.names.append(found.data["dispatcher"].py_func.__name__)
    def on_end(self, found):
        pass

event.register("numba:compile", Compiled())
from cabstand import GeoDBSCAN
points = np.random.default_rng(0).uniform(0, 0.02, (3000, 2)) + (40.7, -74.0)
print(int(GeoDBSCAN(eps_m=50, min_samples=10).fit_predict(points).sum()), len(Compiled.names))
"""
