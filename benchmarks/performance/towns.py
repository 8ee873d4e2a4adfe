"""The places of the made-up archives: a few hundred, in the shares of real streams; a sixth of all tweets come from the box asked for."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from benchmarks.performance.words import BOX, OTHER_BOX, WORDS

Box = tuple[float, float, float, float]
COUNTRY: Final = (-117.1, 14.5, -86.7, 32.7)


@dataclass(frozen=True, slots=True)
class Place:
    """A place; its parts as JSON text, v1's and v2's."""

    id: str
    box: Box
    v1: str
    v2: str


def _inside(chance: random.Random, around: Box, widths: tuple[float, float]) -> Box:
    width, height = chance.uniform(*widths), chance.uniform(*widths)
    west = chance.uniform(around[0], max(around[0], around[2] - width))
    south = chance.uniform(around[1], max(around[1], around[3] - height))
    return round(west, 7), round(south, 7), round(west + width, 7), round(south + height, 7)


def _place(chance: random.Random, kind: str, box: Box) -> Place:
    west, south, east, north = box
    name = " ".join(chance.choice(WORDS[:3000]).capitalize() for _ in range(chance.choice((1, 1, 2))))
    number = f"{chance.getrandbits(64):016x}"
    country = '"country_code":"MX","country":"M\\u00e9xico"'
    names = f'"place_type":"{kind}","name":"{name}","full_name":"{name}, Distrito Federal"'
    ring = f"[[[{west},{south}],[{west},{north}],[{east},{north}],[{east},{south}]]]"
    v1 = (
        f'{{"id":"{number}","url":"https:\\/\\/api.twitter.com\\/1.1\\/geo\\/id\\/{number}.json",{names},{country},'
        f'"bounding_box":{{"type":"Polygon","coordinates":{ring}}},"attributes":{{}}}}'
    )
    geo = f'"geo":{{"type":"Feature","bbox":[{west},{south},{east},{north}],"properties":{{}}}}'
    return Place(number, box, v1, f'{{{names},{geo},{country},"id":"{number}"}}')


def _made() -> tuple[list[Place], list[float]]:
    """Places and how often each is named."""
    chance = random.Random(11)
    places: list[Place] = []
    weights: list[float] = []

    def add(number: int, share: float, kind: str, around: Box, widths: tuple[float, float]) -> None:
        for rank in range(number):
            places.append(_place(chance, kind, _inside(chance, around, widths)))
            weights.append(share / number * 2 * (number - rank) / (number + 1))

    for box, share in ((BOX, 0.16), (OTHER_BOX, 0.09)):
        add(12, share * 0.75, "city", box, (0.05, 0.12))
        add(30, share * 0.15, "neighborhood", box, (0.01, 0.04))
        add(20, share * 0.10, "poi", box, (0.0, 0.0))
    add(250, 0.50, "city", COUNTRY, (0.1, 0.5))
    add(32, 0.20, "admin", COUNTRY, (1.5, 6.0))
    places.append(_place(chance, "country", COUNTRY))
    weights.append(0.05)
    return places, weights


PLACES, FREQUENCIES = _made()
