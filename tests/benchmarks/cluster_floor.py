"""The least that `cabstand cluster` can take: its public parts in thirty lines, to measure the job against.

``python tests/benchmarks/cluster_floor.py TRIPS OUT``: TRIPS is a Parquet file or a folder of them, OUT a folder. It
reads places and times, clusters as `cabstand cluster --engine sequential` does by default, writes labels and core
points, and counts by hour and adds up by cluster.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand import GeoDBSCAN

trips, out = sys.argv[1:]
table = pq.read_table(trips, columns=["pickup_lat", "pickup_lon", "pickup_at"])
lat, lon = (table[name].to_numpy() for name in ("pickup_lat", "pickup_lon"))
hour = table["pickup_at"].to_numpy().astype("M8[h]").astype(np.int64) % 24
del table
found = GeoDBSCAN(50.0, 20).fit(np.column_stack([lat, lon]))
label, core = found.labels_, found.core_sample_indices_
is_core = np.zeros(len(label), bool)
is_core[core] = True
Path(out).mkdir(parents=True, exist_ok=True)
labels = pa.table({"row": np.arange(len(label)), "label": label, "core": is_core})
pq.write_table(labels, f"{out}/labels.parquet", compression="zstd")
cores = pa.table({"lat": lat[core], "lon": lon[core], "cluster": label[core]})
pq.write_table(cores, f"{out}/cores.parquet", compression="zstd")
own, n_clusters = label + 1, label.max() + 1  # noise comes first
hours = np.bincount(own * 24 + hour, minlength=(n_clusters + 1) * 24).reshape(-1, 24)[1:]
sums = [np.bincount(own, axis, n_clusters + 1)[1:] for axis in (None, lat, lon, is_core)]
np.savez(f"{out}/sums.npz", hours=hours, sums=np.array(sums))
