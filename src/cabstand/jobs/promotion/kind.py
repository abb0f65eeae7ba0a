"""A model of synthetic data never replaces one of real data, nor the other way round."""

from __future__ import annotations

from cabstand.errors import ConfigError
from cabstand.io import pointer, synthetic
from cabstand.modelling.bundle import Manifest
from cabstand.settings import Settings

WORDS = {True: "synthetic", False: "real"}


def require_same(settings: Settings, new: Manifest, champion: Manifest | None) -> None:
    """Raise a ConfigError unless `new` is of the champion's kind and, where it is synthetic, the lake is not real."""
    where = f"{new.problem} {new.version}"
    if champion is not None and champion.synthetic is not new.synthetic:
        hint = f"synthetic models serve with CABSTAND_HOME={settings.home / 'synthetic'}"
        if champion.synthetic:
            hint = f"name another store with --artifacts, or remove {pointer.uri(settings.artifacts_uri, new.problem)}"
        what = f"trained on {WORDS[new.synthetic]} data, the champion {champion.version} on {WORDS[champion.synthetic]}"
        raise ConfigError(what, where=where, hint=hint)
    if new.synthetic:
        synthetic.require(settings, True, where)
