"""Parcels of a small shipping office: read from lines of text, grouped, weighed, priced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PRICE_PER_KG = 1.2
BASE_PRICE = 3.5


@dataclass(frozen=True)
class Parcel:
    """One parcel: its number, the city it goes to, and its weight in kg."""

    number: int
    city: str
    weight: float

    def price(self) -> float:
        """Base price and the price of its weight."""
        return BASE_PRICE + PRICE_PER_KG * self.weight


def parse_parcel(line: str) -> Parcel:
    """Parcel of a line like ``17;Lyon;2.5``."""
    number, city, weight = line.split(";")
    return Parcel(int(number), city.strip(), float(weight))


def total_weight(parcels: Iterable[Parcel]) -> float:
    """Weight of all parcels in kg."""
    total = 0.0
    for parcel in parcels:
        total += parcel.weight
    return total


def total_price(parcels: Iterable[Parcel]) -> float:
    """Price of all parcels."""
    total = 0.0
    for parcel in parcels:
        total += parcel.price()
    return total


def by_city(parcels: Iterable[Parcel]) -> dict[str, list[Parcel]]:
    """Parcels of each city, in the order they came."""
    groups: dict[str, list[Parcel]] = {}
    for parcel in parcels:
        if parcel.city not in groups:
            groups[parcel.city] = []
        groups[parcel.city].append(parcel)
    return groups


def cities(parcels: Iterable[Parcel]) -> list[str]:
    """Each city once, in the order it came first."""
    seen: list[str] = []
    for parcel in parcels:
        if parcel.city not in seen:
            seen.append(parcel.city)
    return seen


def heaviest(parcels: Iterable[Parcel]) -> Parcel:
    """The parcel that weighs most."""
    return max(parcels, key=lambda parcel: parcel.weight)
