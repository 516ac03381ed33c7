"""The wrapper as it is used by registered ids."""

from __future__ import annotations

from gymnasium.envs.registration import EnvSpec

from skillgym.wrappers.skill_actions import SkillActions


class RegisteredSkillActions(SkillActions):
    """`SkillActions` made by the entry point of an id such as `SkillKitchen-v0`.

    The keywords of that id already describe this wrapper and the time limit inside it. Appending
    them to the specification, as wrappers do, would build both twice.
    """

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]
        """Specification of the id, with its keywords."""
        return self.unwrapped.spec
