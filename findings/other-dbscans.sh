#!/usr/bin/env bash
# What other DBSCANs answer where scikit-learn 1.9.1 is the measure: pyclustering 0.10.1.2, mlpack 4.8.0, dbscan 1.0.0
# (PyPI); dbscanjs 1.0.1, density-clustering 1.3.0, jdbscan 1.0.0 (npm); R's dbscan 1.1-11 (Debian 12).
#
# Seen: dbscanjs gives the same labels and R the same plus one; R's kNNdist does not count the point itself. pyclustering
# and jdbscan do not count it either: the same labels with min_samples less one. density-clustering leaves out points at
# exactly eps. dbscan may put a border point that two clusters share into the other one, and numbers clusters otherwise.
# mlpack may, too, and a cluster that is left with fewer than min_samples points is noise.
#
# Why it matters: whoever comes to cabstand's GeoDBSCAN, whose labels are scikit-learn's, may have to change parameters.
# The rows are in the table "Coming from another DBSCAN" of docs/clustering.md. Needs npm; R is left out where Debian's
# package is another version.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check \
  pyclustering==0.10.1.2 mlpack==4.8.0 dbscan==1.0.0 scikit-learn==1.9.1
npm install --silent --ignore-scripts --no-fund --no-audit dbscanjs@1.0.1 density-clustering@1.3.0 jdbscan@1.0.0 >/dev/null
if apt-cache policy r-cran-dbscan 2>/dev/null | grep -q "Candidate: 1.1-11"; then
  apt-get download -qq libpaper1 r-base-core r-cran-rcpp r-cran-dbscan >/dev/null 2>&1 || true
  for package in *.deb; do dpkg -x "$package" r; done
fi

venv/bin/python - <<'PYTHON'
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import mlpack
import numpy as np
from dbscan import DBSCAN as PyPI
from pyclustering.cluster.dbscan import dbscan as pyclustering
from sklearn.cluster import DBSCAN

NODE = {
    "dbscanjs": "out = require('dbscanjs')(P, (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]), E, M)",
    "density-clustering": """const found = new (require('density-clustering').DBSCAN)().run(P, E, M);
        out = P.map(() => -1); found.forEach((rows, i) => rows.forEach(row => (out[row] = i)))""",
    "jdbscan": """const made = require('jdbscan'); const make = made.jDBSCAN || made.default || made;
        const data = P.map(p => ({x: p[0], y: p[1]}));
        out = make().eps(E).minPts(M).distance('EUCLIDEAN').data(data)().map(k => k - 1)""",
}


def run_node(name):
    def run(points, eps, least):
        code = f"const {{P, E, M}} = JSON.parse(require('fs').readFileSync(0)); let out; {NODE[name]}; console.log(JSON.stringify(out))"
        given = json.dumps({"P": points.tolist(), "E": eps, "M": least})
        return np.array(json.loads(subprocess.run(["node", "-e", code], input=given, text=True, check=True, stdout=-1).stdout))

    return run


def run_pyclustering(points, eps, least):
    found = pyclustering(points.tolist(), eps, least, ccore=False)
    found.process()
    labels = np.full(len(points), -1)
    for number, rows in enumerate(found.get_clusters()):
        labels[rows] = number
    return labels


def run_mlpack(points, eps, least):
    labels = np.ravel(mlpack.dbscan(input_=points, epsilon=eps, min_size=least)["assignments"]).astype(np.float64)
    return np.where(labels > len(points), -1, labels).astype(int)


def run_pypi(points, eps, least):
    return PyPI(np.ascontiguousarray(points), eps, least)[0]


def r(expression, points):
    np.savetxt("points.csv", points, delimiter=",", fmt="%.17g")
    home = Path("r/usr/lib/R").absolute()
    libraries = f"{home}/lib:{Path('r/usr/lib/x86_64-linux-gnu').absolute()}"
    environment = os.environ | {
        "R_HOME": str(home), "LD_LIBRARY_PATH": libraries, "R_LIBS": f"{home}/site-library", "EDITOR": "vi", "PAGER": "cat"
    }
    code = f'x <- as.matrix(read.csv("points.csv", header = FALSE)); cat("\\n", {expression}, "\\n")'
    command = [f"{home}/bin/exec/R", "--vanilla", "--no-echo", "-e", code]
    return np.array(subprocess.run(command, env=environment, text=True, check=True, stdout=-1).stdout.splitlines()[-1].split(), float)


def run_r(points, eps, least):
    return r(f"dbscan::dbscan(x, {eps}, {least})$cluster", points).astype(int)


def expected(points, eps, least):
    return DBSCAN(eps=eps, min_samples=least).fit(points).labels_


# The first point is within 1 of the clusters on both sides and no core point.
shared = np.array([[x, 0.0] for x in (0, 2, 1.75, 1.5, 1, -1, -1.5, -1.75, -2)])
line = np.array([[x, 0.0] for x in range(4)])  # neighbours at exactly 1
crowd = np.random.default_rng(0).uniform(0, 40, (3000, 2))
SETS = {"shared border point": (shared, 1.0, 4), "exactly eps": (line, 1.0, 3), "random": (crowd, 1.0, 8)}
ENGINES = {
    "dbscanjs": run_node("dbscanjs"), "jdbscan": run_node("jdbscan"), "density-clustering": run_node("density-clustering"),
    "pyclustering": run_pyclustering, "mlpack": run_mlpack, "dbscan": run_pypi,
}
if Path("r").is_dir():
    ENGINES["R dbscan"] = run_r
EXPECTED = {  # for each set
    "dbscanjs": ["same", "same", "same"],
    "R dbscan": ["same + 1", "same + 1", "same + 1"],
    "jdbscan": ["same", "same with min_samples - 1", "same with min_samples - 1"],
    "pyclustering": ["same", "same with min_samples - 1", "same with min_samples - 1"],
    "density-clustering": ["other noise", "other noise", "same"],
    "mlpack": ["same", "same", "other noise"],
    "dbscan": ["same noise, other clusters", "same", "same noise, other clusters"],
}


def compare(run, points, eps, least):
    labels, right = run(points, eps, least), expected(points, eps, least)
    if (labels == right).all():
        return "same"
    if (labels == right + 1).all():
        return "same + 1"
    if (run(points, eps, least - 1) == right).all():
        return "same with min_samples - 1"
    return "same noise, other clusters" if ((labels < 0) == (right < 0)).all() else "other noise"


seen = {name: [compare(run, *given) for given in SETS.values()] for name, run in ENGINES.items()}
for name, verdicts in seen.items():
    print(f"{name}: " + "; ".join(f"{kind}: {verdict}" for kind, verdict in zip(SETS, verdicts)))
changed = [name for name, verdicts in seen.items() if verdicts != EXPECTED[name]]

# A core point is noise to mlpack only if its cluster has fewer than min_samples points, as border points went elsewhere.
labels, right = run_mlpack(crowd, 1.0, 8), expected(crowd, 1.0, 8)
core = DBSCAN(eps=1.0, min_samples=8).fit(crowd).core_sample_indices_
lost = np.unique(right[core][labels[core] < 0])
print("mlpack: points of the clusters that are noise:", [int((right == number).sum()) for number in lost])
if not len(lost) or any((right == number).sum() >= 8 for number in lost):
    changed.append("mlpack's noise")

if "R dbscan" in ENGINES:
    nearest = r("dbscan::kNNdist(x, 2)", line)  # of 0, 1, 2, 3 the second other point
    print("R kNNdist(x, 2) of 0, 1, 2, 3:", nearest)
    if nearest.tolist() != [2, 1, 1, 2]:
        changed.append("R kNNdist")
sys.exit(f"The behaviour changed: {changed}." if changed else 0)
PYTHON
echo "Still so: other DBSCANs differ from scikit-learn's in these ways."
