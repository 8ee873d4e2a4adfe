"""Every text that a made-up city can write, with its probability: so that the true share of any rule is a finite sum.

All of it is invented; names of people and accounts too. The words follow the sample studies in config/studies.toml; beside what they
match stands what they must not: other words around the same letters (`business`, `choquero`), words in addresses and in @mentions.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

LANGUAGES: Final = ("es", "en")

#: Topic → how much of all tweets speaks of it, before the seed moves it.
TOPICS: Final = {
    "traffic": 0.11,
    "transport": 0.10,
    "water": 0.07,
    "weather": 0.10,
    "football": 0.13,
    "food": 0.14,
    "work": 0.12,
    "music": 0.09,
    "chatter": 0.14,
}

#: What stands for {x} in a template.
FILLERS: Final = {
    "es": ("esta mañana", "otra vez", "con mi hermana", "a las 8"),
    "en": ("this morning", "again", "with my sister", "at 8"),
}

TEMPLATES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("traffic", "es"): (
        "El tráfico está imposible {x}",
        "Otro EMBOTELLAMIENTO en Insurgentes {x} &amp; nadie hace nada",
        "Choque en el Periférico {x}, tomen precauciones",
        "marcha   lenta en el segundo piso {x}",
        "Hora y media en el coche {x} #CaosVial",
        "No hay paso por Reforma {x}, qué desesperación",
        "trafico pesado en Tlalpan {x}",
    ),
    ("traffic", "en"): (
        "Traffic on the ring road is a nightmare {x}",
        "Two lanes closed near the bridge {x}",
        "Stuck at the same lights {x}",
        "Roadworks everywhere {x}, I give up driving",
    ),
    ("transport", "es"): (
        "El metro viene lleno {x}",
        "La línea 3 detenida {x}",
        "Esperando el camión {x}",
        "Por fin subí al trolebús {x}",
    ),
    ("transport", "en"): (
        "The tube is packed {x}",
        "Bus cancelled {x}, walking it is",
        "Signal failure, train delayed {x}",
        "Elizabeth   line running like a dream {x}",
        "Overground suspended {x} #TfL",
        "Lovely quiet underground ride {x}",
        "Cycling to town {x}, no regrets",
    ),
    ("water", "es"): (
        "Seguimos sin agua en la colonia {x}",
        "Corte de agua {x} por el Cutzamala",
        "Llegaron las pipas {x}",
        "La escasez de agua ya es de todos los días {x}",
        "Ni una gota {x} #SinAgua",
        "Tandeo {x}, junten cubetas",
        "Agua de jamaica bien fría {x}",
    ),
    ("water", "en"): (
        "No water in our street {x}",
        "Burst water main {x}, bring buckets",
        "Hosepipe ban {x}? Seriously?",
    ),
    ("weather", "es"): (
        "Qué calor {x}",
        "Se viene la lluvia {x}, saquen el paraguas",
        "Amaneció nublado {x}",
        "Frío de verdad {x} ❄️",
    ),
    ("weather", "en"): (
        "Rain {x}. Of course.",
        "Blue skies over the park {x}",
        "Match cancelled {x}: frozen pitch",
        "Fog so thick I can't see the church {x}",
    ),
    ("football", "es"): (
        "¡Gol! Golazo {x}",
        "Otro empate {x}, ya ni me enojo",
        "El árbitro no ve nada {x}",
        "Vamos por los tres puntos {x} 💪",
    ),
    ("football", "en"): (
        "What a goal {x}",
        "VAR has ruined it {x}",
        "Three points and a clean sheet {x}",
        "They trained all week for this {x}?",
    ),
    ("food", "es"): (
        "Tacos al pastor {x} y soy feliz",
        "Un cafecito {x}",
        "El pozole de mi abuela {x}",
        "Choquero, bien choquero este atole {x}",
    ),
    ("food", "en"): (
        "Sunday roast {x}",
        "Found the best flat white {x}",
        "Sushi &amp; chips {x}, don't ask",
        "Tubers for dinner {x}: potatoes, mostly",
    ),
    ("work", "es"): (
        "Junta tras junta {x}",
        "Entregué el proyecto {x}",
        "Lunes en la oficina {x}, ánimo",
        "Home office {x} con el gato",
    ),
    ("work", "en"): (
        "Back to business {x}",
        "So busy {x} I forgot lunch",
        "Deadline moved {x}, hooray",
        "Staff training {x}",
    ),
    ("music", "es"): (
        "Escuchando a Café Imaginario {x}",
        "Conciertazo {x}",
        "Esa canción {x} me mata",
    ),
    ("music", "en"): (
        "New album on repeat {x}",
        "That gig {x} was something else",
        "Learning the ukulele {x}",
    ),
    ("chatter", "es"): (
        "Buenos días {x}",
        "Jajaja no puede ser {x}",
        "Te extraño {x}",
        "Feliz cumpleaños {x} 🎂",
    ),
    ("chatter", "en"): (
        "Morning all {x}",
        "Can't believe it {x} lol",
        "Miss you {x}",
        "Happy birthday {x} 🎂",
    ),
}

#: In front of a text: mostly nothing; else an account, whose name is not searched.
BEFORE: Final = (("", 0.82), ("@la_vecina_lu ", 0.08), ("@trafico_inventado ", 0.05), ("@tube_fan_0 ", 0.05))
#: After a text: emoji, addresses (not searched), hashtags, line breaks.
AFTER: Final = (
    ("", 0.55),
    (" 😂", 0.10),
    (" 🙏🏽", 0.05),
    (" https://t.co/a1B2c3D4e5", 0.10),
    (" https://t.co/agua7bus88", 0.05),
    (" #BuenosDías", 0.05),
    (" #monday", 0.05),
    ("\n\n❤️", 0.05),
)
#: A long post ("note"): `text` shows its first 279 characters only, and what it speaks of comes at the end.
LONG_SHARE: Final = 0.03
LONG: Final = {
    "es": "Voy a contar algo largo, porque me lo pidieron. " * 6,
    "en": "This is a long one, because somebody asked me for it. " * 6,
}


@dataclass(frozen=True)
class Catalogue:
    """All texts. Arrays of one length, one entry a text; those of one topic and language stand together.

    `within` is the probability of the text given its topic and language.
    """

    texts: tuple[str, ...]
    topic: NDArray[np.int64]
    language: NDArray[np.int64]
    within: NDArray[np.float64]
    is_long: NDArray[np.bool_]

    def block(self, topic: int, language: int) -> slice:
        """Where the texts of one topic and language stand."""
        return self._blocks[topic, language]

    @cached_property
    def _blocks(self) -> dict[tuple[int, int], slice]:
        found = {}
        for topic, language in itertools.product(range(len(TOPICS)), range(len(LANGUAGES))):
            places = np.flatnonzero((self.topic == topic) & (self.language == language))
            found[topic, language] = slice(int(places[0]), int(places[-1]) + 1)
        return found


@cache
def catalogue() -> Catalogue:
    """The catalogue, made once a process (about 13,000 texts)."""
    texts: list[str] = []
    rows: list[tuple[int, int, float, bool]] = []
    for topic_number, topic in enumerate(TOPICS):
        for language_number, language in enumerate(LANGUAGES):
            templates, fillers = TEMPLATES[topic, language], FILLERS[language]
            for core in (template.format(x=filler) for template in templates for filler in fillers):
                share = 1 / (len(templates) * len(fillers))
                for before, before_share in BEFORE:
                    for after, after_share in AFTER:
                        texts.append(before + core + after)
                        rows.append((topic_number, language_number, share * (1 - LONG_SHARE) * before_share * after_share, False))
                texts.append(LONG[language] + core)
                rows.append((topic_number, language_number, share * LONG_SHARE, True))
    topics, languages, within, is_long = (np.array(column) for column in zip(*rows, strict=True))
    return Catalogue(tuple(texts), topics, languages, within, is_long)
