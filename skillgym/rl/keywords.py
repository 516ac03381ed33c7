"""Keywords of agents, which SB3's classes pass on to each other."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter, signature

from stable_baselines3.common.base_class import BaseAlgorithm

from skillgym_envs.core.errors import UnknownKeyword


def check_keywords(
    agent: type[BaseAlgorithm], keywords: Iterable[str], reserved: Iterable[str] = ()
) -> None:
    """Refuse keywords that neither an agent nor, through `kwargs`, a class above it takes.

    Args:
        agent: Class of the agent.
        keywords: Names.
        reserved: Names that it takes, but not from here.

    Raises:
        UnknownKeyword: If it does not take one of them.
    """
    known: set[str] = set()
    for owner in agent.__mro__:
        if "__init__" in vars(owner):
            parameters = signature(vars(owner)["__init__"]).parameters.values()
            passed_on = {each.name for each in parameters if each.kind == Parameter.VAR_KEYWORD}
            known |= {each.name for each in parameters} - {"self"} - passed_on
            if not passed_on:
                break
    known -= set(reserved)
    for name in keywords:
        if name not in known:
            raise UnknownKeyword(agent.__name__, name, known)
