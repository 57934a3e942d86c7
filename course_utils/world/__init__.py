"""A small model of a music service: it writes the default log and knows every true probability."""

from .catalogue import SECONDS_PER_DAY, Catalogue, build_catalogue
from .config import EFFECTS, WORLD_VERSION, YAMBDA_50M_SIZE, WorldConfig, WorldError
from .dynamics import SESSION_GAP, Dynamics, familiarity, satiation
from .env import RadioEnv, play, popularity_policy, random_policy
from .listeners import Listeners, build_listeners
from .simulate import EVENT_SCHEMA, EVENT_TYPES, write_world

__all__ = [
    "EFFECTS",
    "EVENT_SCHEMA",
    "EVENT_TYPES",
    "SECONDS_PER_DAY",
    "SESSION_GAP",
    "WORLD_VERSION",
    "YAMBDA_50M_SIZE",
    "Catalogue",
    "Dynamics",
    "Listeners",
    "RadioEnv",
    "WorldConfig",
    "WorldError",
    "build_catalogue",
    "build_listeners",
    "familiarity",
    "play",
    "popularity_policy",
    "random_policy",
    "satiation",
    "write_world",
]
