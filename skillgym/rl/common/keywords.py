"""Keywords of agents, which SB3's classes pass on to their base classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import Parameter, signature

from stable_baselines3.common.base_class import BaseAlgorithm

from skillgym.errors import InvalidConfig
from skillgym_envs.core.errors import UnknownKeyword


def check_keywords(
    agent: type[BaseAlgorithm], keywords: Mapping[str, object], reserved: Iterable[str] = ()
) -> None:
    """Refuse keywords that neither an agent nor, through `kwargs`, one of its base classes takes.

    Args:
        agent: Class of the agent.
        keywords: Names and values.
        reserved: Names that it takes, but that must not be given here.

    Raises:
        UnknownKeyword: If the agent does not take one of them.
        InvalidConfig: If one is a string where the agent needs a number, which SB3 would notice
            only in the first update.
    """
    known: dict[str, Parameter] = {}
    for owner in agent.__mro__:
        if "__init__" in vars(owner):
            parameters = signature(vars(owner)["__init__"]).parameters.values()
            passed_on = {each.name for each in parameters if each.kind == Parameter.VAR_KEYWORD}
            found = {each.name: each for each in parameters if each.name not in passed_on}
            known = found | known  # the most derived class overrides the others
            if not passed_on:
                break
    for name in ("self", *reserved):
        known.pop(name, None)
    for name, value in keywords.items():
        if name not in known:
            public = [each for each in known if not each.startswith("_")]
            raise UnknownKeyword(agent.__name__, name, public)
        default = known[name].default
        takes_text = "str" in str(known[name].annotation).split(" | ")
        if isinstance(value, str) and isinstance(default, int | float) and not takes_text:
            raise InvalidConfig(name, value, f"a number such as the default, {default!r}")
