"""The model card of a checkpoint directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skillgym.markdown import table_lines
from skillgym.nn.mlp import count_parameters
from skillgym.skills.base import SkillModule

TEMPLATE = """# Skill model `{type}` for {world}

{summary}

```python
import skillgym

model = skillgym.load_skill("path/to/this/directory")
```

{facts}

## Metrics

{metrics}

## Configuration

{fields}
"""


def model_card(model: SkillModule, config: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
    """Markdown text that describes a checkpoint and its metrics.

    Args:
        model: The model.
        config: Content of its `config.json`.
        metrics: Content of its `metrics.json`.
    """
    summary = (type(model).__doc__ or "").strip().splitlines()
    facts = {
        "world": config["world"] or "unknown",
        "keywords of the world": config["world_options"] or "none known",
        "dataset": config["dataset"] or "unknown",
        "observation": model.observation_space,
        "action": model.action_space,
        "skill": model.skill_space,
        "longest skill [control steps]": model.max_steps,
        "parameters": count_parameters(model),
        **{f"{name} version": version for name, version in config["versions"].items()},
    }
    numbers = {name: f"{value:.6g}" for name, value in metrics.items()}
    return TEMPLATE.format(
        type=config["type"],
        world=config["world"] or "an unknown world",
        summary=summary[0] if summary else "",
        facts=_table("fact", facts),
        metrics=_table("metric", numbers) if numbers else "None recorded.",
        fields=_table("field", config["config"]),
    )


def _table(what: str, items: Mapping[str, Any]) -> str:
    return "\n".join(table_lines((what, "value"), items.items()))
