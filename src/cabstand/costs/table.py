"""The price table: list prices of one region, each with its source and date."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from cabstand.errors import ConfigError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Price:
    """One list price: US dollars per `unit`, as the page `source` showed it on the day `as_of` (ISO date)."""

    usd: float
    unit: str
    source: str
    as_of: str


@dataclass(frozen=True)
class PriceTable:
    """The prices of one region, by key such as `ec2/t4g.small`."""

    region: str
    prices: dict[str, Price]

    def usd(self, key: str) -> float:
        """Return the price of `key` in US dollars; raise a ConfigError if the table lacks it."""
        if key not in self.prices:
            raise ConfigError(f"no price for {key} in {self.region}", hint="add it to cabstand/costs/prices.json")
        return self.prices[key].usd

    @property
    def oldest(self) -> str:
        """The date of the oldest price."""
        return min(price.as_of for price in self.prices.values())


def parse(text: str) -> PriceTable:
    """Read a price table from its JSON."""
    content = json.loads(text)
    if content.get("schema_version") != SCHEMA_VERSION:
        raise ConfigError(f"price table of schema version {content.get('schema_version')}", hint="expected 1")
    return PriceTable(content["region"], {key: Price(**value) for key, value in content["prices"].items()})


@cache
def load(region: str = "us-east-1") -> PriceTable:
    """Return the price table in the package; raise a ConfigError if it is not the region's."""
    table = parse(resources.files("cabstand.costs").joinpath("prices.json").read_text(encoding="utf-8"))
    if table.region != region:
        raise ConfigError(f"no prices for region {region}", hint=f"the table has {table.region}")
    return table
